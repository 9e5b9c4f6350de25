//! What an agent sees of a call on a terminal.

use std::fmt::Write;

use crate::cli::text::{Lang, texts};
use crate::logic::dialer::command::AgentNotice;
use crate::logic::dialer::command::AgentPage;
use crate::logic::dialer::command::AgentState;

/// The whole page as lines.
pub(crate) fn render(notice: &AgentNotice, lang: Lang) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    fill(&mut out, notice, lang).unwrap_or_default();
    out
}

fn fill(out: &mut String, notice: &AgentNotice, lang: Lang) -> std::fmt::Result {
    let state = texts(lang).agent_state(notice.state);
    let reason = notice.reason.as_ref().map(|reason| format!(" ({})", plain(reason)));
    writeln!(out, "{}   {state}{}", plain(&notice.agent), reason.unwrap_or_default())?;
    match &notice.page {
        Some(page) => {
            customer(out, page, lang)?;
            // Before the call there is nothing to say of it yet, and everything to decide.
            match notice.state {
                AgentState::Previewing => decide(out, &notice.agent, lang),
                AgentState::Offline
                | AgentState::LoggingIn
                | AgentState::Paused
                | AgentState::Ready
                | AgentState::Reserved
                | AgentState::OnCall
                | AgentState::WrapUp => keys(out, page, lang),
            }
        }
        None => Ok(()),
    }
}

fn customer(out: &mut String, page: &AgentPage, lang: Lang) -> std::fmt::Result {
    let t = texts(lang);
    writeln!(out, "{}", "-".repeat(72))?;
    writeln!(
        out,
        "{}: {}   {}: {}",
        t.seller,
        plain(&page.seller),
        t.campaign,
        plain(&page.campaign)
    )?;
    let name = page.name.as_deref().unwrap_or("-");
    writeln!(out, "{}: {}   [{}]", t.name, plain(name), plain(&page.language))?;
    writeln!(out, "{}: {}", t.number, plain(&page.number))?;
    if let Some(id) = &page.external_id {
        writeln!(out, "{}: {}", t.customer_id, plain(id))?;
    }
    // The list's own columns hold what is shown above already.
    let shown = [page.name.as_deref(), page.external_id.as_deref(), Some(page.number.as_str())];
    for (key, value) in page.fields.iter().filter(|(_, value)| !shown.contains(&Some(value))) {
        writeln!(out, "{}: {}", plain(key), plain(value))?;
    }
    writeln!(out, "{}", "-".repeat(72))?;
    if let Some(promised) = &page.promised {
        writeln!(out, "{}: {}", t.promised, plain(promised))?;
    }
    for line in page.script.lines() {
        writeln!(out, "{}", plain(line))?;
    }
    writeln!(out, "{}", "-".repeat(72))
}

fn decide(out: &mut String, agent: &str, lang: Lang) -> std::fmt::Result {
    let t = texts(lang);
    let agent = plain(agent);
    writeln!(out, "  {}: outdial agent dial {agent}", t.call_now)?;
    writeln!(out, "  {}: outdial agent skip {agent}", t.pass_by)
}

fn keys(out: &mut String, page: &AgentPage, lang: Lang) -> std::fmt::Result {
    let t = texts(lang);
    for key in &page.dispositions {
        let label = match lang {
            Lang::Ja => &key.label_ja,
            Lang::En => &key.label_en,
        };
        let chosen = page.chosen.as_deref() == Some(key.code.as_str());
        let mark = match (chosen, page.saved) {
            (true, true) => t.saved,
            (true, false) => t.saving,
            (false, _) => "",
        };
        let line =
            format!("  [{}] {} ({}) {mark}", plain(&key.digits), plain(label), plain(&key.code));
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "  [{}] {}", plain(&page.hang_up_keys), t.hang_up)?;
    writeln!(out, "{}: {}", t.attempt, plain(&page.attempt))
}

/// A list is other people's text: nothing in it may steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::dialer::command::DispositionKey;
    use crate::logic::time::UtcMs;

    fn notice() -> AgentNotice {
        let key = |digits: &str, code: &str, en: &str, ja: &str| DispositionKey {
            digits: digits.to_owned(),
            code: code.to_owned(),
            label_en: en.to_owned(),
            label_ja: ja.to_owned(),
        };
        AgentNotice {
            agent: "hanako".to_owned(),
            state: AgentState::WrapUp,
            since: UtcMs(0),
            reason: None,
            page: Some(AgentPage {
                campaign: "demo".to_owned(),
                seller: "Example Water".to_owned(),
                attempt: "a1b2".to_owned(),
                name: Some("佐藤 \x1b[2J一郎".to_owned()),
                external_id: Some("C-7".to_owned()),
                number: "+81312345678".to_owned(),
                language: "ja".to_owned(),
                fields: vec![
                    ("plan".to_owned(), "basic".to_owned()),
                    ("customer no.".to_owned(), "C-7".to_owned()),
                ],
                script: "Hello,\nthis is ...".to_owned(),
                dispositions: vec![
                    key("1", "SALE", "sale", "成約"),
                    key("9", "REFUSED", "refused", "断り"),
                ],
                promised: None,
                hang_up_keys: "##".to_owned(),
                chosen: Some("SALE".to_owned()),
                saved: true,
            }),
        }
    }

    #[test]
    fn the_page_shows_person_script_and_keys_and_never_steers_the_terminal() {
        insta::assert_snapshot!(render(&notice(), Lang::Ja));
        insta::assert_snapshot!(render(&notice(), Lang::En));
        assert!(!render(&notice(), Lang::En).contains('\x1b'));
    }

    #[test]
    fn before_the_call_the_page_says_how_to_decide() {
        let mut notice = AgentNotice { state: AgentState::Previewing, ..notice() };
        let page = notice.page.as_mut().unwrap();
        (page.attempt, page.chosen) = (String::new(), None);
        insta::assert_snapshot!(render(&notice, Lang::Ja));
        insta::assert_snapshot!(render(&notice, Lang::En));
    }
}
