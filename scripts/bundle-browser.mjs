/**
 * Bundles codec + crypto + tx for a browser and runs the result without any of Node's globals but the ones
 * that browsers have. Fails when something in those rooms needs Node, and prints the bundle's size.
 */
import { build } from 'esbuild';
import { readdirSync } from 'node:fs';
import vm from 'node:vm';

const ROOMS = ['codec', 'crypto', 'tx'];
const modules = ROOMS.flatMap((room) =>
  readdirSync(`src/${room}`, { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `./src/${room}/${name}`),
);
const result = await build({
  stdin: { contents: modules.map((m, i) => `export * as m${i} from '${m}';`).join('\n'), resolveDir: process.cwd(), loader: 'ts' },
  bundle: true,
  write: false,
  minify: true,
  format: 'iife',
  globalName: 'kryder',
  platform: 'browser',
  target: 'es2022',
  logLevel: 'error',
});
const code = result.outputFiles[0].text;
const sandbox = vm.createContext({ TextEncoder, TextDecoder, Uint8Array, crypto: globalThis.crypto });
vm.runInContext(`${code}; globalThis.loaded = Object.keys(kryder).length`, sandbox);
if (sandbox.loaded !== modules.length) throw new Error(`${sandbox.loaded} of ${modules.length} modules loaded`);
console.log(`browser bundle: ${modules.length} modules, ${code.length} bytes minified`);
