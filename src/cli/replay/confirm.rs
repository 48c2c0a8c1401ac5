//! Which calls of a filter are about to be sent, and the question whether they are.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::bail;

use crate::{
    cli::terminal::{
        self, Room,
        style::{BAD, DIM, STRONG, styled},
        table::{Cell, Column, Table},
        time::Times,
    },
    operations::replay::{Group, Listed, groups},
};

/// So many groups are shown.
const SHOWN: usize = 20;

/// Shows the calls in groups, and asks. Whether they are to be sent.
///
/// # Errors
/// Nobody can be asked, and nobody has said yes before.
pub(super) fn confirm(listed: &Listed, is_sure: bool) -> anyhow::Result<bool> {
    let number = listed.sendable().count();
    let these = if number == 1 { "this call".to_owned() } else { format!("these {number} calls") };
    if is_sure {
        return Ok(true);
    }
    show(listed);
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        bail!("nobody can be asked here: give --yes to run {these} again, or --dry-run to see what would be done");
    }
    anstream::eprint!("{} ", styled(STRONG, &format!("Run {these} again? [y/N]")));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let is_yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !is_yes {
        eprintln!("nothing was sent");
    }
    Ok(is_yes)
}

fn show(listed: &Listed) {
    let groups = groups(listed.sendable());
    let room = Room::of_stderr();
    anstream::eprint!("{}", table(&groups, room));
    let note = |words: String| anstream::eprintln!("{}", styled(DIM, &words));
    if groups.len() > SHOWN {
        let rest: usize = groups[SHOWN..].iter().map(|group| group.count).sum();
        note(format!("and {rest} calls of {} other groups", groups.len() - SHOWN));
    }
    if listed.beyond > 0 {
        note(format!("{} more are beyond --limit", listed.beyond));
    }
    let mut reasons = std::collections::BTreeMap::<String, usize>::new();
    for reason in listed.calls.iter().filter_map(|(_, reason)| reason.as_ref()) {
        *reasons.entry(super::words(reason)).or_default() += 1;
    }
    for (reason, number) in reasons {
        note(format!("{number} skipped: {}", terminal::plain(&reason)));
    }
}

fn table(groups: &[Group], room: Room) -> String {
    let times = Times::of(room);
    let columns = [
        Column::new("CALLS").right(),
        Column::new("ROUTE").least(11),
        Column::new("MODEL").least(10),
        Column::new("ERROR").least(10),
        Column::new(times.head("FIRST", groups.iter().map(|group| group.first))).rank(2),
        Column::new(times.head("LAST", groups.iter().map(|group| group.last))).rank(1),
    ];
    let mut table = Table::new(columns);
    for group in groups.iter().take(SHOWN) {
        table.row([
            Cell::from(group.count.to_string()),
            Cell::from(&*group.route),
            Cell::from(&*group.model),
            Cell::styled(BAD, &*group.error),
            Cell::from(times.show(group.first)),
            Cell::from(times.show(group.last)),
        ]);
    }
    table.shown(room)
}
