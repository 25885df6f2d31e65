//! Man pages and completions, made from the definition of the options.

use clap::{Arg, Command, ValueEnum};
use clap_complete::Shell;

/// What can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Document {
    Man,
    CompleteBash,
    CompleteFish,
    CompleteZsh,
}

impl Document {
    /// The text of the document for a program.
    pub fn text(self, program: &'static str, command: Command) -> String {
        let mut text = Vec::new();
        let shell = match self {
            Document::Man => None,
            Document::CompleteBash => Some(Shell::Bash),
            Document::CompleteFish => Some(Shell::Fish),
            Document::CompleteZsh => Some(Shell::Zsh),
        };
        match shell {
            None => clap_mangen::Man::new(command).render(&mut text).expect("memory can be written"),
            Some(shell) => {
                let mut command = Command::new(program).args(visible(&command));
                clap_complete::generate(shell, &mut command, program, &mut text);
            }
        }
        String::from_utf8(text).expect("options have names in UTF-8")
    }
}

/// The options of a command without those that are for the engine.
fn visible(command: &Command) -> Vec<Arg> {
    command.get_arguments().filter(|option| !option.is_hide_set()).cloned().collect()
}
