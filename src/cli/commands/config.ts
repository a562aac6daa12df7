/** `kryder config`: the settings that a node would run with, and where each comes from. */
import type { Command } from 'commander';
import { loadSettings } from '../../config/file.ts';
import { configurationPage } from '../../config/markdown.ts';
import { printSetting, resolveSettings, settingToJson } from '../../config/resolve.ts';
import { GROUPS, SETTING_NAMES, settingOf } from '../../config/settings.ts';
import { addCommand, remark } from '../output.ts';
import { flagsOf, withSettings } from '../settings-options.ts';

interface ConfigOptions {
  readonly dir?: string;
  readonly markdown?: boolean;
}

export function register(program: Command): void {
  addCommand<ConfigOptions>(program, {
    usage: 'config',
    description: 'show the settings that `kryder node` would run with, and where each comes from',
    configure: (c) =>
      withSettings(
        c
          .option('--dir <dir>', 'a data directory, for its node.json', process.env.KRYDER_DIR)
          .option('--markdown', 'print docs/configuration.md instead'),
      ),
    run: async (_, options) => {
      if (options.markdown === true) {
        const page = configurationPage();
        return { json: { markdown: page }, text: page.trimEnd().split('\n') };
      }
      const above = { flags: flagsOf(options), environment: process.env };
      const { settings, origins, warnings } =
        options.dir === undefined ? resolveSettings(above) : await loadSettings(options.dir, above);
      for (const warning of warnings) remark(`warning: ${warning}`);
      const width = Math.max(...SETTING_NAMES.map((name) => name.length));
      const line = (name: (typeof SETTING_NAMES)[number]): string => {
        const value = printSetting(settings, name);
        return `  ${name.padEnd(width)}  ${value === '' ? '(none)' : value}  (${origins[name].name})`;
      };
      return {
        json: {
          settings: Object.fromEntries(
            SETTING_NAMES.map((name) => {
              const { from, name: source } = origins[name];
              return [name, { value: settingToJson(settings, name), from, source }];
            }),
          ),
          warnings,
        },
        text: GROUPS.flatMap((group) => [
          group,
          ...SETTING_NAMES.filter((name) => settingOf(name).group === group).map(line),
        ]),
      };
    },
  });
}
