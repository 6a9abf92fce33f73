export { anchoredColumns } from './anchored.ts';
export { sma } from './averages.ts';
export * from './catalogue.ts';
