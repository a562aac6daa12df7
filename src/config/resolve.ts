/**
 * From flags, environment and settings file to one checked set of settings. A flag goes before the environment,
 * that before the file, that before the default. Everything that is wrong is told at once, each with the setting,
 * where the value came from and what would be right. An unknown key in the file is an error, for it was meant to do
 * something; an unknown `KRYDER_…` variable is a warning, for container engines add variables of their own.
 */
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import type { Json } from './kinds.ts';
import { nearest } from './nearest.ts';
import {
  FORMER_KEYS,
  flagOf,
  OTHER_VARIABLES,
  RELATIONS,
  SETTING_NAMES,
  type SettingName,
  type Settings,
  settingOf,
  variableOf,
} from './settings.ts';

/** Variables that stay with the process that they were given to. */
const SECRET_VARIABLES = ['KRYDER_PASSPHRASE', 'KRYDER_NEW_PASSPHRASE'];

/** What the command line said: by setting; text for each use of the flag, or whether a switch is on. */
export type Flags = Readonly<Partial<Record<SettingName, string | readonly string[] | boolean>>>;

export interface Sources {
  readonly flags?: Flags;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly path: string; readonly content: Readonly<Record<string, unknown>> };
}

interface Origin {
  readonly from: 'flag' | 'environment' | 'file' | 'default';
  /** The flag, the variable or the path of the file. */
  readonly name: string;
}

export interface Configuration {
  readonly settings: Settings;
  readonly origins: Readonly<Record<SettingName, Origin>>;
  /** For people: what is probably not as it was meant. */
  readonly warnings: readonly string[];
}

type Given = Origin & { readonly value: () => unknown };

function fromFlag(name: SettingName, given: string | readonly string[] | boolean): unknown {
  if (typeof given === 'boolean') return given;
  return settingOf(name).kind.parse(typeof given === 'string' ? given : given.join(','));
}

/** Where a setting's value comes from, and how to get it; undefined for the default. */
function givenValue(name: SettingName, { flags, environment, file }: Sources): Given | undefined {
  const { kind } = settingOf(name);
  const flag = flags?.[name];
  if (flag !== undefined) {
    const written = flag === false ? flagOf(name).replace('--', '--no-') : flagOf(name);
    return { from: 'flag', name: written, value: () => fromFlag(name, flag) };
  }
  const variable = variableOf(name);
  const text = environment?.[variable];
  // Compose files and shells pass on what is not set as an empty string.
  if (text !== undefined && text !== '') {
    return { from: 'environment', name: variable, value: () => kind.parse(text) };
  }
  if (file !== undefined && Object.hasOwn(file.content, name)) {
    return { from: 'file', name: file.path, value: () => kind.fromJson(file.content[name]) };
  }
  return undefined;
}

function unknownKeys({ path, content }: NonNullable<Sources['file']>): string[] {
  return Object.keys(content)
    .filter((key) => !(SETTING_NAMES as readonly string[]).includes(key))
    .slice(0, 20)
    .map((key) => {
      const former = Object.hasOwn(FORMER_KEYS, key) ? FORMER_KEYS[key] : undefined;
      if (former !== undefined) return `${path}: ${former}`;
      const near = nearest(key, SETTING_NAMES);
      const advice = near === undefined ? '`kryder config` lists all' : `did you mean "${near}"?`;
      return `${path}: there is no setting "${key.slice(0, 60)}"; ${advice}`;
    });
}

function unknownVariables(environment: NonNullable<Sources['environment']>): string[] {
  const known = [...SETTING_NAMES.map(variableOf), ...Object.keys(OTHER_VARIABLES)];
  return Object.keys(environment)
    .filter((name) => name.startsWith('KRYDER_') && !known.includes(name))
    .slice(0, 20)
    .map((name) => {
      const near = nearest(name, known);
      return `the environment variable ${name.slice(0, 80)} means nothing to this program${
        near === undefined ? '' : `; did you mean ${near}?`
      }`;
    });
}

/** Throws `SETTING_INVALID` with every problem, a line each. */
export function resolveSettings(sources: Sources): Configuration {
  const problems = sources.file === undefined ? [] : unknownKeys(sources.file);
  const values: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, Origin>> = {};
  for (const name of SETTING_NAMES) {
    const entry = settingOf(name);
    const given = givenValue(name, sources);
    const origin: Origin =
      given === undefined ? { from: 'default', name: 'default' } : { from: given.from, name: given.name };
    origins[name] = origin;
    try {
      values[name] = given === undefined ? entry.default : given.value();
    } catch (error) {
      if (!isProtocolError(error, 'SETTING_VALUE')) throw error;
      problems.push(`${name}, given by ${origin.name}: ${error.message}; it must be ${entry.kind.range}`);
    }
  }
  const settings = values as unknown as Settings;
  if (problems.length === 0) {
    for (const { names, holds, rule } of RELATIONS) {
      if (holds(settings)) continue;
      const shown = names.map(
        (name) => `${name} is ${printSetting(settings, name)} (${origins[name]!.name})`,
      );
      problems.push(`${shown.join(', ')}: ${rule}`);
    }
  }
  if (problems.length > 0) throw new ProtocolError('SETTING_INVALID', problems.join('\n  '));
  return {
    settings,
    origins: origins as Record<SettingName, Origin>,
    warnings: sources.environment === undefined ? [] : unknownVariables(sources.environment),
  };
}

/**
 * An environment for child processes that are nodes of their own: what was meant for one would hold for all. Nor do
 * they get passphrases.
 */
export function withoutSettings(environment: NonNullable<Sources['environment']>): NodeJS.ProcessEnv {
  const names: readonly string[] = [...SETTING_NAMES.map(variableOf), ...SECRET_VARIABLES];
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)));
}

/** Only what the command line said, checked: what goes into the settings file of a new data directory. */
export function chosenSettings(flags: Flags): Partial<Settings> {
  const { settings, origins } = resolveSettings({ flags });
  const chosen = SETTING_NAMES.filter((name) => origins[name].from === 'flag');
  return Object.fromEntries(chosen.map((name) => [name, settings[name]]));
}

/** A setting as JSON, as it would stand in the file. */
export function settingToJson(settings: Partial<Settings>, name: SettingName): Json {
  return settingOf(name).kind.toJson(settings[name]);
}

/** A setting in one line for people. */
export function printSetting(settings: Partial<Settings>, name: SettingName): string {
  const json = settingToJson(settings, name);
  return typeof json === 'object' ? json.join(', ') : String(json);
}
