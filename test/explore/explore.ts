/** The search of one instance, from its beginning: one module, so that both can be built together from broken source. */
import { Instance, type InstanceOptions } from './instance.ts';
import { type Budget, type Outcome, Search } from './search.ts';

export function explore(options: InstanceOptions, budget: Budget): Outcome {
  return new Search(new Instance(options)).run(budget);
}
