/** The settings file of a data directory, node.json: one JSON object, a key a setting, all of them optional. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProtocolError } from '../codec/errors.ts';
import { readText } from '../system/text-file.ts';
import { type Configuration, resolveSettings, type Sources, settingToJson } from './resolve.ts';
import { SETTING_NAMES, type Settings } from './settings.ts';

const SETTINGS_FILE = 'node.json';
/** Long lists of addresses fit; what is longer is no settings file. */
const MAX_FILE_BYTES = 256 * 1024;

async function readObject(path: string): Promise<Record<string, unknown>> {
  const text = await readText(path, MAX_FILE_BYTES).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new ProtocolError('DATA_DIRECTORY', `${path} is missing; make a data directory with "kryder init"`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ProtocolError('SETTINGS_FILE', `${path} is not JSON: ${(error as Error).message}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ProtocolError('SETTINGS_FILE', `${path} must hold one JSON object, like {"workers": 2}`);
  }
  return json as Record<string, unknown>;
}

/**
 * The settings of a data directory, under what flags and environment say. Throws `DATA_DIRECTORY` where there is no
 * such file, `SETTINGS_FILE` where it is no JSON object, and `SETTING_INVALID`.
 */
export async function loadSettings(
  directory: string,
  above: Pick<Sources, 'flags' | 'environment'> = {},
): Promise<Configuration> {
  const path = join(directory, SETTINGS_FILE);
  return resolveSettings({ ...above, file: { path, content: await readObject(path) } });
}

/** Writes the file of a data directory that is being made. What is not in `settings` is left to the defaults. */
export async function writeSettings(directory: string, settings: Partial<Settings>): Promise<void> {
  const names = SETTING_NAMES.filter((name) => settings[name] !== undefined);
  const content = Object.fromEntries(names.map((name) => [name, settingToJson(settings, name)]));
  await writeFile(join(directory, SETTINGS_FILE), `${JSON.stringify(content, null, 2)}\n`);
}
