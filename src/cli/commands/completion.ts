import { type Command, defineCommand } from '../command.ts';
import { completionScript, shells } from '../completion.ts';
import { UsageError } from '../usage-error.ts';

/** `nfio completion SHELL`. It completes all commands, itself included, so it asks for them when it runs. */
export function completionCommand({ commands }: { readonly commands: () => readonly Command[] }): Command {
  return defineCommand({
    name: 'completion',
    summary: 'Print a completion script for bash, zsh or fish',
    operands: ['SHELL'],
    operandChoices: shells,
    options: {},
    description: 'Prints a script that teaches a shell the commands and options of nfio, its mountpoints and its types.',
    examples: [
      { command: 'source <(nfio completion bash)', does: 'In this bash' },
      { command: 'nfio completion bash > /etc/bash_completion.d/nfio', does: 'In every bash' },
      { command: 'nfio completion zsh > /usr/share/zsh/vendor-completions/_nfio', does: 'In every zsh' },
      { command: 'nfio completion fish > ~/.config/fish/completions/nfio.fish', does: 'In every fish' },
    ],
    async run({ operands, terminal }) {
      const shell = shells.find((candidate) => candidate === operands[0]);
      if (shell === undefined) throw new UsageError(`The shell is one of ${shells.join(', ')}, not ${operands[0] ?? ''}.`, 'completion');
      const { buildableTypes } = await import('../images/context.ts');
      terminal.out(completionScript(shell, commands(), await buildableTypes()));
      return 0;
    },
  });
}
