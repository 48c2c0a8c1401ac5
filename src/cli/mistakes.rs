//! The mistakes of a configuration file as a person reads them: the line of each, a caret under what is meant, and what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};

use super::terminal::{
    plain,
    style::{BAD, DIM, STRONG, styled},
};
use crate::config::{Error, Problem};

/// The widest drawing.
const WIDTH: usize = 100;

/// The drawing, in the styles of a terminal; none of an error that is at no place in the file.
pub(super) fn drawn(error: &Error) -> Option<String> {
    let Error::Invalid { path, problems, has_more } = error else { return None };
    let path = path.display().to_string();
    let renderer = Renderer::styled()
        .term_width(WIDTH)
        .decor_style(DecorStyle::Ascii)
        .error(BAD.bold())
        .help(STRONG)
        .emphasis(STRONG)
        .line_num(DIM)
        .context(DIM);
    let mut text = String::new();
    for problem in problems {
        text += &renderer.render(&[group(&path, problem)]);
        text += "\n\n";
    }
    let count = match (problems.len(), has_more) {
        (1, false) => format!("{path} has a mistake"),
        (count, false) => format!("{path} has {count} mistakes"),
        (count, true) => format!("{path} has {count} mistakes, and there may be more"),
    };
    Some(text + &styled(BAD, &count))
}

fn group<'a>(path: &'a str, problem: &'a Problem) -> Group<'a> {
    let title = Level::ERROR.primary_title(plain(&problem.message));
    let (line, _) = problem.position();
    let place = problem.place.as_ref();
    let source = place.and_then(|place| Some((place.source.as_deref()?, place.marked.clone())));
    let snippet = match source {
        Some((source, marked)) => {
            Snippet::source(plain(source)).line_start(line).path(path).annotation(AnnotationKind::Primary.span(marked))
        }
        None => Snippet::source("").line_start(line).path(path),
    };
    let help = problem.help.iter().map(|help| Level::HELP.message(plain(help)));
    title.element(snippet).elements(help)
}
