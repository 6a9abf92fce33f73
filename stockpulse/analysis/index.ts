export { type Facts, isTextField, NUMBER_FIELDS, SCREEN_FIELDS, type ScreenField, TEXT_FIELDS } from './facts.ts';
export { type Filter, type Operator, OPERATORS, Screener, type Sort } from './screener.ts';
export { nearestSymbols, searchCompanies } from './search.ts';
