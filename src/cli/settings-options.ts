/** The settings of a node as flags of a command, made from the table. */
import { type Command, Option } from 'commander';
import { printDefault } from '../config/markdown.ts';
import { type Flags, resolveSettings } from '../config/resolve.ts';
import { flagOf, GROUPS, SETTING_NAMES, settingOf } from '../config/settings.ts';
import { collect } from './options.ts';

/** A flag for every setting. None has a default here: what was not given comes from elsewhere. */
export function withSettings(command: Command): Command {
  for (const group of GROUPS) {
    for (const name of SETTING_NAMES.filter((one) => settingOf(one).group === group)) {
      const { kind, meaning } = settingOf(name);
      const flag = flagOf(name);
      const text = `${meaning}; ${kind.range}${kind.list ? '; may be repeated' : ''} (default: ${printDefault(name)})`;
      if (kind.placeholder === undefined) {
        command.addOption(new Option(flag, text).helpGroup(`${group}:`));
        command.addOption(new Option(flag.replace('--', '--no-')).hideHelp());
        continue;
      }
      const option = new Option(`${flag} ${kind.placeholder}`, text).helpGroup(`${group}:`);
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
