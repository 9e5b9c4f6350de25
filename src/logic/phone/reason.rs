//! Why a cell gave no number, or a number with a remark: closed lists with stable codes, in English and Japanese.

use super::never_dial::NeverDialRule;

/// What kind of line a number is, by its numbering plan (or by what the list says: fax).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhoneKind {
    /// A landline.
    Fixed,
    /// A mobile.
    Mobile,
    /// A plan that does not tell landline and mobile apart (North America).
    FixedOrMobile,
    /// A number of an internet telephone (050 in Japan).
    Voip,
    /// The callee pays.
    TollFree,
    /// The caller pays a surcharge.
    Premium,
    /// Both pay.
    SharedCost,
    /// Follows a person from line to line.
    Personal,
    /// A pager or a machine.
    Pager,
    /// A company-wide access number.
    CompanyAccess,
    /// A voice-mail box.
    Voicemail,
    /// The list says it is a fax.
    Fax,
    /// None of these.
    Unknown,
}

impl PhoneKind {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Mobile => "mobile",
            Self::FixedOrMobile => "fixed_or_mobile",
            Self::Voip => "voip",
            Self::TollFree => "toll_free",
            Self::Premium => "premium",
            Self::SharedCost => "shared_cost",
            Self::Personal => "personal",
            Self::Pager => "pager",
            Self::CompanyAccess => "company_access",
            Self::Voicemail => "voicemail",
            Self::Fax => "fax",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of a stable text.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        ALL_KINDS.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Only lines at which a person is reached at an ordinary price.
    #[must_use]
    pub const fn may_be_called(self) -> bool {
        match self {
            Self::Fixed | Self::Mobile | Self::FixedOrMobile | Self::Voip => true,
            Self::TollFree
            | Self::Premium
            | Self::SharedCost
            | Self::Personal
            | Self::Pager
            | Self::CompanyAccess
            | Self::Voicemail
            | Self::Fax
            | Self::Unknown => false,
        }
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Fixed => ("a landline", "固定電話"),
            Self::Mobile => ("a mobile", "携帯電話"),
            Self::FixedOrMobile => ("a landline or mobile", "固定または携帯電話"),
            Self::Voip => ("an internet telephone", "IP電話"),
            Self::TollFree => ("a toll-free number", "着信者課金番号"),
            Self::Premium => ("a premium-rate number", "情報料のかかる番号"),
            Self::SharedCost => ("a shared-cost number", "料金分担の番号"),
            Self::Personal => ("a personal number", "パーソナル番号"),
            Self::Pager => ("a pager or machine", "ポケットベル・機器用の番号"),
            Self::CompanyAccess => ("a company access number", "全国共通の企業番号"),
            Self::Voicemail => ("a voice-mail number", "留守番電話の番号"),
            Self::Fax => ("a fax", "FAX"),
            Self::Unknown => ("a number of unknown kind", "種類の分からない番号"),
        }
    }
}

const ALL_KINDS: [PhoneKind; 13] = [
    PhoneKind::Fixed,
    PhoneKind::Mobile,
    PhoneKind::FixedOrMobile,
    PhoneKind::Voip,
    PhoneKind::TollFree,
    PhoneKind::Premium,
    PhoneKind::SharedCost,
    PhoneKind::Personal,
    PhoneKind::Pager,
    PhoneKind::CompanyAccess,
    PhoneKind::Voicemail,
    PhoneKind::Fax,
    PhoneKind::Unknown,
];

/// Why a cell gives no number to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneRefusal {
    /// Nothing there.
    Empty,
    /// Letters or other signs where digits belong.
    NotNumber,
    /// A spreadsheet turned it into `9.01235E+09` or `312345678.0`: digits are lost.
    Scientific,
    /// No such number in the numbering plan.
    Invalid,
    /// Emergency, service or surcharge number of the never-dial table.
    Special(&'static NeverDialRule),
    /// A kind of line that is not called.
    ForbiddenType(PhoneKind),
}

impl PhoneRefusal {
    /// The stable code, as in rejects files and reports.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "PHONE_EMPTY",
            Self::NotNumber => "PHONE_NOT_NUMBER",
            Self::Scientific => "PHONE_SCI",
            Self::Invalid => "PHONE_INVALID",
            Self::Special(_) => "PHONE_SPECIAL",
            Self::ForbiddenType(_) => "PHONE_FORBIDDEN_TYPE",
        }
    }

    /// What is wrong and what to do, in English.
    #[must_use]
    pub fn reason_en(&self) -> String {
        match self {
            Self::Empty => "there is no phone number: fill it in".to_owned(),
            Self::NotNumber => {
                "letters or signs where digits belong (is an O meant as 0?): write digits only".to_owned()
            }
            Self::Scientific => {
                "a spreadsheet changed the number (9.01235E+09 or .0): take it from the source again, as text"
                    .to_owned()
            }
            Self::Invalid => {
                "no such number in this country's numbering plan: check digits and area code".to_owned()
            }
            Self::Special(rule) => format!("never dialed: {} ({})", rule.en, rule.pattern),
            Self::ForbiddenType(kind) => format!("not called: {}", kind.words().0),
        }
    }

    /// What is wrong and what to do, in Japanese.
    #[must_use]
    pub fn reason_ja(&self) -> String {
        match self {
            Self::Empty => "電話番号がありません。入力してください".to_owned(),
            Self::NotNumber => {
                "数字以外の文字が入っています（0 の代わりに O など）。数字だけで入力してください".to_owned()
            }
            Self::Scientific => {
                "表計算ソフトで番号が壊れています（9.01235E+09 や .0）。元データから文字列として取り直してください"
                    .to_owned()
            }
            Self::Invalid => {
                "この国の番号計画にない番号です。桁数と市外局番を確認してください".to_owned()
            }
            Self::Special(rule) => format!("架電禁止の番号です: {}（{}）", rule.ja, rule.pattern),
            Self::ForbiddenType(kind) => format!("架電しない種類の番号です: {}", kind.words().1),
        }
    }
}

/// A number was found, and something was done to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhoneWarning {
    /// The leading 0 was missing and is put back.
    ZeroRestored,
    /// The cell holds several numbers; the first good one is the primary.
    Multi,
    /// An extension was split off.
    ExtFound,
    /// A 184, 186 or 122 in front was taken off: caller ID is the campaign's business.
    PrefixDropped,
    /// One of several numbers was left out.
    PartRefused,
}

impl PhoneWarning {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ZeroRestored => "PHONE_ZERO_RESTORED",
            Self::Multi => "PHONE_MULTI",
            Self::ExtFound => "EXT_FOUND",
            Self::PrefixDropped => "PHONE_PREFIX_DROPPED",
            Self::PartRefused => "PHONE_PART_REFUSED",
        }
    }

    /// In English.
    #[must_use]
    pub const fn text_en(self) -> &'static str {
        match self {
            Self::ZeroRestored => "the missing leading 0 was put back",
            Self::Multi => "several numbers: the first good one is called first",
            Self::ExtFound => "an extension was split off; it is shown to the agent, not dialed",
            Self::PrefixDropped => "184, 186 or 122 in front was taken off",
            Self::PartRefused => "one of several numbers cannot be called and was left out",
        }
    }

    /// In Japanese.
    #[must_use]
    pub const fn text_ja(self) -> &'static str {
        match self {
            Self::ZeroRestored => "先頭の 0 が欠けていたため補いました",
            Self::Multi => "番号が複数あります。最初の有効な番号に架電します",
            Self::ExtFound => "内線を分けました。内線は画面に出し、ダイヤルはしません",
            Self::PrefixDropped => "先頭の 184・186・122 を除きました",
            Self::PartRefused => "複数の番号のうち架電できないものを除きました",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_word() {
        for kind in ALL_KINDS {
            assert_eq!(PhoneKind::of(kind.as_str()), Some(kind));
        }
        assert_eq!(PhoneKind::of("satellite"), None);
    }
}
