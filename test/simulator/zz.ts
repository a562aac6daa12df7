import { scenarioOf } from './scenario.ts';
import { runScenario } from './world.ts';
process.on('unhandledRejection', (e) => console.log('UNHANDLED', e));
let last = ''; let n = 0;
setInterval(() => console.log('alive', last, n), 2000).unref();
const r = await runScenario(scenarioOf(1), (l) => { last = l; n++; });
console.log(r);
