//! Whether an agent may take a call: skills and languages.

/// What is asked of an agent.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// All of these.
    pub skills: &'a [String],
    /// The person's language.
    pub language: &'a str,
}

/// What an agent offers.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// Skills.
    pub skills: &'a [String],
    /// Languages, best first; empty: any.
    pub languages: &'a [String],
}

/// Whether this agent may take such a call.
#[must_use]
pub fn fits(offered: Offered<'_>, wanted: Wanted<'_>) -> bool {
    let speaks =
        offered.languages.is_empty() || offered.languages.iter().any(|l| l == wanted.language);
    speaks && wanted.skills.iter().all(|skill| offered.skills.contains(skill))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_who_speaks_the_language_and_has_all_skills_fits() {
        let (ja, en, none) = (vec!["ja".to_owned()], vec!["en".to_owned()], vec![]);
        let sales = vec!["sales".to_owned()];
        let wanted = |skills| Wanted { skills, language: "ja" };
        assert!(fits(Offered { skills: &none, languages: &ja }, wanted(&none)));
        assert!(fits(Offered { skills: &none, languages: &none }, wanted(&none)), "any language");
        assert!(!fits(Offered { skills: &none, languages: &en }, wanted(&none)));
        assert!(!fits(Offered { skills: &none, languages: &ja }, wanted(&sales)));
        assert!(fits(Offered { skills: &sales, languages: &ja }, wanted(&sales)));
    }
}
