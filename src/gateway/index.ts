export type { GatewaySettings, ServerPolicy } from './frame.ts';
export { createGateway, type GatewayOptions, type McpGateway, type ToolAnswer } from './gateway.ts';
export { joinedName, MAX_TOOL_NAME } from './naming.ts';
export { PIPELINE } from './pipeline.ts';
export type { ExposedTool } from './view.ts';
