/** Time of the simulated market: the wall's, one frozen instant, or a start from which it runs `speed` times as fast. RFC 3339. */
export type ClockSetting = 'wall' | { readonly frozen: string } | { readonly start: string; readonly speed: number };

/** A clock in milliseconds since the epoch. */
export function simulationClock(setting: ClockSetting, wall: { now(): number }): { now(): number } {
  if (setting === 'wall') return wall;
  if ('frozen' in setting) {
    const at = Date.parse(setting.frozen);
    return { now: () => at };
  }
  const start = Date.parse(setting.start);
  const began = wall.now();
  return { now: () => start + (wall.now() - began) * setting.speed };
}
