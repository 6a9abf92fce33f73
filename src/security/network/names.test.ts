import { describe, expect, it } from 'vitest';
import { allowedHost, allowedOrigin, nameRules, type NameSettings } from './names.ts';

const rules = (settings: Partial<NameSettings>) => nameRules({ bind: '127.0.0.1', allowedHosts: [], allowedOrigins: [], ...settings });
const hosts = (settings: Partial<NameSettings>, ...names: string[]): boolean[] => names.map((name) => allowedHost(name, rules(settings)));

describe('the names of a server', () => {
  it('are the loopback names where it can be reached over loopback', () => {
    const names = ['localhost', '127.0.0.1:1', '[::1]'];
    for (const bind of ['127.0.0.1', '::1', 'localhost', '0.0.0.0', '::'])
      expect([bind, hosts({ bind }, ...names)]).toEqual([bind, [true, true, true]]);
    expect(hosts({ bind: '192.0.2.1' }, ...names)).toEqual([false, false, false]);
  });

  it('hold the address it is bound to, but not every address of a wildcard', () => {
    expect(hosts({ bind: '192.0.2.1' }, '192.0.2.1:8080', '192.0.2.2')).toEqual([true, false]);
    expect(hosts({ bind: '2001:db8::1' }, '[2001:db8::1]:8080')).toEqual([true]);
    expect(hosts({ bind: '0.0.0.0' }, '0.0.0.0', '192.0.2.1')).toEqual([false, false]);
  });

  it('come from settings in any usual form', () => {
    const allowedHosts = ['a.example', 'B.EXAMPLE:8443', 'https://c.example/x', '[2001:db8::2]', '2001:db8::3'];
    expect(hosts({ allowedHosts }, 'a.example', 'b.example', 'c.example:1', '[2001:db8::2]', '[2001:DB8::3]')).toEqual(Array(5).fill(true));
    expect(hosts({ publicUrl: 'https://pulse.example:8443/base' }, 'pulse.example')).toEqual([true]);
  });

  it('do not match by part', () => {
    const settings = { allowedHosts: ['a.example'] };
    expect(
      hosts(settings, 'x.a.example', 'a.example.evil', 'aXexample', 'a.example@evil', 'evil#a.example', 'a.example/..', ' a.example'),
    ).toEqual(Array(7).fill(false));
    expect(allowedHost(undefined, rules(settings))).toBe(false);
  });
});

describe('origins', () => {
  it('may be absent, and are never null', () => {
    expect(allowedOrigin(undefined, rules({}))).toBe(true);
    expect(allowedOrigin('null', rules({ allowedOrigins: ['null'] }))).toBe(false);
  });

  it('match whole, or by a name of this server', () => {
    const set = rules({ allowedOrigins: ['https://App.example:8443/', 'vscode-webview://abc'] });
    const verdicts = [
      'https://app.example:8443',
      'https://app.example',
      'vscode-webview://abc',
      'http://localhost:5173',
      'https://[::1]',
      'ws://localhost',
      'http://localhost/x',
    ].map((origin) => allowedOrigin(origin, set));
    expect(verdicts).toEqual([true, false, true, true, true, false, false]);
  });
});
