/** The settings of a node as flags of a command, made from the table. */
import { type Command, Option } from 'commander';
import { printDefault } from '../config/markdown.ts';
import { type Flags, resolveSettings } from '../config/resolve.ts';
import { flagOf, GROUPS, SETTING_NAMES, settingOf, shownFlagOf } from '../config/settings.ts';
import { collect } from './options.ts';

/** A flag for every setting. None has a default here: what was not given comes from elsewhere. */
export function withSettings(command: Command): Command {
  for (const group of GROUPS) {
    for (const name of SETTING_NAMES.filter((one) => settingOf(one).group === group)) {
      const { kind, meaning } = settingOf(name);
      const shown = shownFlagOf(name);
      const heading = `${group}:`;
      if (kind.placeholder === undefined) {
        const [on, off] = [flagOf(name), flagOf(name).replace('--', '--no-')];
        const state = `${shown === on ? 'off' : 'on'} unless this is given`;
        // In this order: a flag of which commander knows only the `--no-` form is on by itself.
        for (const flag of [on, off]) {
          const option = new Option(flag, `${meaning} (${state})`).helpGroup(heading);
          command.addOption(option.hideHelp(flag !== shown));
        }
        continue;
      }
      const more = kind.list ? '; may be repeated' : '';
      const text = `${meaning}: ${kind.range}${more} (default: ${printDefault(name)})`;
      const option = new Option(shown, text).helpGroup(heading);
      command.addOption(kind.list ? option.argParser(collect) : option);
    }
  }
  return command;
}

/** What was given on the command line, out of all options of a command. */
export function flagsOf(options: object): Flags {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => (SETTING_NAMES as readonly string[]).includes(name)),
  ) as Flags;
}

export interface DirectoryOption {
  readonly dir: string;
}

/** The data directory, which is no setting: the settings are in it. */
export function withDirectory(command: Command): Command {
  return command.addOption(
    new Option('--dir <dir>', 'the data directory; `kryder init` makes one')
      .env('KRYDER_DIR')
      .makeOptionMandatory(),
  );
}

/** The log level of nodes that a command starts, as text for their own flag. */
export function withLogLevel(command: Command): Command {
  const check = (text: string): string => {
    resolveSettings({ flags: { logLevel: text } });
    return text;
  };
  return command.option(
    '--log-level <levels>',
    'log level of the nodes, as `kryder node` takes it',
    check,
    'info',
  );
}
