//! Which column of a list means what, by the names people give them in English and Japanese.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

/// What a column can mean. Columns that mean none of these are kept for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// A phone number; a list may have several such columns.
    Phone,
    /// The seller's own id of the person.
    ExternalId,
    /// The whole name.
    Name,
    /// Family name, joined with the given name.
    FamilyName,
    /// Given name.
    GivenName,
    /// How the name is read (フリガナ).
    Kana,
    /// Reading of the family name.
    FamilyKana,
    /// Reading of the given name.
    GivenKana,
    /// The person's company.
    Company,
    /// Language to speak.
    Language,
    /// Who is called first: a smaller number is called sooner.
    Priority,
    /// Anything but "no" means: never call.
    DoNotCall,
    /// A note for the agent.
    Note,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Phone,
        Self::ExternalId,
        Self::Name,
        Self::FamilyName,
        Self::GivenName,
        Self::Kana,
        Self::FamilyKana,
        Self::GivenKana,
        Self::Company,
        Self::Language,
        Self::Priority,
        Self::DoNotCall,
        Self::Note,
    ];

    /// The key in a campaign file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::ExternalId => "external_id",
            Self::Name => "name",
            Self::FamilyName => "family_name",
            Self::GivenName => "given_name",
            Self::Kana => "kana",
            Self::FamilyKana => "family_kana",
            Self::GivenKana => "given_kana",
            Self::Company => "company",
            Self::Language => "language",
            Self::Priority => "priority",
            Self::DoNotCall => "do_not_call",
            Self::Note => "note",
        }
    }

    /// Whether the column is kept among the fields an agent sees. Numbers are not: the agent sees the one that is called.
    const fn is_kept(self) -> bool {
        match self {
            Self::ExternalId
            | Self::Name
            | Self::FamilyName
            | Self::GivenName
            | Self::Kana
            | Self::FamilyKana
            | Self::GivenKana
            | Self::Company
            | Self::Note => true,
            Self::Phone | Self::Language | Self::Priority | Self::DoNotCall => false,
        }
    }

    /// Header names, in the form [`normal`] gives them.
    const fn names(self) -> &'static str {
        match self {
            Self::Phone => {
                "電話番号 電話 代表電話 代表電話番号 会社電話 会社電話番号 自宅電話 自宅電話番号 固定電話 連絡先 連絡先電話番号 \
                 連絡先番号 携帯 携帯電話 携帯電話番号 携帯番号 勤務先電話 勤務先電話番号 tel telno telnumber phone phoneno \
                 phonenumber mobile mobilephone mobilenumber mobilephonenumber cell cellphone cellphonenumber \
                 homephone homephonenumber workphone workphonenumber businessphone businessphonenumber \
                 officephone telephone telephonenumber contactnumber 휴대폰 휴대전화 전화 전화번호 手机 手机号 手机号码 电话 \
                 电话号码 電話號碼"
            }
            Self::ExternalId => {
                "顧客id 顧客番号 顧客コード 会員番号 会員id お客様番号 お客様id レコード番号 管理番号 id recordid leadid contactid \
                 customerid customerno customernumber externalid 客户编号 고객번호"
            }
            Self::Name => {
                "氏名 名前 お名前 姓名 担当者 担当者名 担当者氏名 顧客名 お客様名 ご担当者 ご担当者名 name fullname contactname \
                 customername contact 성명 이름"
            }
            Self::FamilyName => "姓 苗字 名字 lastname familyname surname",
            Self::GivenName => "名 firstname givenname forename",
            Self::Kana => {
                "フリガナ ふりがな カナ かな 氏名カナ 氏名かな 氏名フリガナ カナ氏名 名前カナ 顧客名カナ 担当者名カナ お名前カナ \
                 お名前フリガナ 読み よみ kana namekana furigana"
            }
            Self::FamilyKana => "セイ 姓カナ 姓フリガナ 姓かな lastnamekana familynamekana",
            Self::GivenKana => "メイ 名カナ 名フリガナ 名かな firstnamekana givennamekana",
            Self::Company => {
                "会社名 企業名 法人名 社名 屋号 店舗名 取引先名 貴社名 御社名 company companyname account accountname \
                 organization organisation 公司 회사명"
            }
            Self::Language => "言語 対応言語 使用言語 language lang preferredlanguage 语言 언어",
            Self::Priority => "優先度 優先順位 priority rank",
            Self::DoNotCall => {
                "ng ngフラグ 架電禁止 架電禁止フラグ 架電ng 電話禁止 電話不可 dnc dncflag donotcall hasoptedout optout optedout"
            }
            Self::Note => {
                "備考 メモ 備考欄 コメント note notes memo comment comments remarks 비고 备注"
            }
        }
    }

    fn of(name: &str) -> Option<Self> {
        let whole = normal(name);
        if whole.contains("fax") || whole.contains("ファックス") || whole.contains("ファクス")
        {
            return None;
        }
        Self::named(&whole).or_else(|| {
            // `電話番号1`, `電話番号（必須）`, `phone 2`.
            let folded: String = name.nfkc().collect();
            let before_note = folded.split(['(', '【', '[', '※', '*']).next().unwrap_or_default();
            let plain = normal(before_note);
            let field = Self::named(&plain).or_else(|| {
                let unnumbered = plain.trim_end_matches(|c: char| c.is_ascii_digit());
                Self::named(unnumbered).filter(|field| *field == Self::Phone)
            });
            field.filter(|_| !plain.is_empty())
        })
    }

    fn named(normal: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.names().split_whitespace().any(|name| name == normal))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of [`Field::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a field of a contact: phone, external_id, name, family_name, given_name, kana, family_kana, \
     given_kana, company, language, priority, do_not_call, note"
)]
pub struct UnknownField(pub String);

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Further numbers, and the words of the database.
        let name = match text {
            "phone2" | "phone3" => "phone",
            "name_kana" => "kana",
            "rank" => "priority",
            other => other,
        };
        Self::ALL
            .into_iter()
            .find(|f| f.as_str() == name)
            .ok_or_else(|| UnknownField(text.to_owned()))
    }
}

/// What the campaign file says about the columns: field and header name, phones in the order they are called.
///
/// A field named here is taken from that column only; all others are recognised by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnMap(Vec<(Field, String)>);

impl ColumnMap {
    /// From the texts of a campaign file, such as `("phone", "ご連絡先")`.
    ///
    /// # Errors
    /// A field has no such name.
    pub fn from_texts<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, UnknownField> {
        let pair = |(field, name): (&str, &str)| Ok((field.parse()?, name.to_owned()));
        pairs.into_iter().map(pair).collect::<Result<_, _>>().map(Self)
    }
}

/// The header of a list, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The list's own columns by their names as they stand, without the `_` columns of a rejects file.
    pub names: Vec<String>,
    /// How many cells a row has.
    pub width: usize,
    /// Columns with phone numbers, in the order they are called.
    pub phones: Vec<usize>,
    /// Columns kept for the agent, and their keys: every one but numbers, language, priority and do-not-call.
    pub kept: Vec<(usize, Arc<str>)>,
    roles: Vec<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Field(Field),
    Unknown,
    /// A column that a rejects file added.
    Ours,
}

/// The list has no usable header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No column with phone numbers.
    #[error(
        "no column of phone numbers was recognised; the first line has: {found}. Name the column in the campaign \
         file (columns: phone = \"…\"), or call it 電話番号 or phone"
    )]
    NoPhone {
        /// Names of the first line.
        found: String,
    },
    /// The campaign file names a column that is not there.
    #[error(
        "the campaign file takes {field} from the column `{wanted}`, which the list does not have; it has: {found}"
    )]
    NoSuchColumn {
        /// The field.
        field: Field,
        /// The name in the campaign file.
        wanted: String,
        /// Names of the header.
        found: String,
    },
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
}

impl Header {
    /// Understands one line as a header.
    ///
    /// # Errors
    /// It has no column of phone numbers, or lacks one that `map` names.
    pub fn new<'a>(
        cells: impl IntoIterator<Item = &'a str>,
        map: &ColumnMap,
    ) -> Result<Self, HeaderError> {
        let cells: Vec<&str> = cells.into_iter().map(str::trim).collect();
        let found = || shorten(&cells.join(", "));
        let mapped = |cell: &str| {
            map.0.iter().find(|(_, name)| normal(name) == normal(cell)).map(|(field, _)| *field)
        };
        for (field, wanted) in &map.0 {
            if !cells.iter().any(|cell| normal(cell) == normal(wanted)) {
                return Err(HeaderError::NoSuchColumn {
                    field: *field,
                    wanted: wanted.clone(),
                    found: found(),
                });
            }
        }
        let mut roles: Vec<Role> = Vec::with_capacity(cells.len());
        for cell in &cells {
            let by_name = || Field::of(cell).filter(|field| map.0.iter().all(|(f, _)| f != field));
            let role = match mapped(cell).or_else(by_name) {
                _ if OURS.contains(cell) => Role::Ours,
                Some(Field::Phone) => Role::Field(Field::Phone),
                // A second column of the same name is kept as a field of its own.
                Some(field) if !roles.contains(&Role::Field(field)) => Role::Field(field),
                Some(_) | None => Role::Unknown,
            };
            roles.push(role);
        }
        let mut phones: Vec<usize> = positions(&roles, |role| *role == Role::Field(Field::Phone));
        if phones.is_empty() {
            return Err(HeaderError::NoPhone { found: found() });
        }
        phones.sort_by_key(|at| {
            let name = cells.get(*at).map(|cell| normal(cell));
            map.0
                .iter()
                .position(|(field, wanted)| *field == Field::Phone && Some(normal(wanted)) == name)
        });
        let names = cells.iter().zip(&roles).filter(|(_, role)| **role != Role::Ours);
        let names = names.map(|(cell, _)| (*cell).to_owned()).collect();
        let mut kept = Vec::new();
        for (at, (cell, role)) in cells.iter().zip(&roles).enumerate() {
            let keep = match role {
                Role::Field(field) => field.is_kept(),
                Role::Unknown => true,
                Role::Ours => false,
            };
            if keep {
                kept.push((at, key_of(at, cell, &kept)));
            }
        }
        Ok(Self { names, width: cells.len(), phones, kept, roles })
    }

    /// How many columns were recognised: the measure by which the delimiter is chosen.
    #[must_use]
    pub fn recognised(&self) -> usize {
        self.roles.iter().filter(|role| **role != Role::Unknown).count()
    }

    /// The column of a field, the first if there are several.
    #[must_use]
    pub fn column(&self, field: Field) -> Option<usize> {
        self.roles.iter().position(|role| *role == Role::Field(field))
    }

    /// Whether the column came with the list, and not from a rejects file of ours.
    #[must_use]
    pub fn is_original(&self, column: usize) -> bool {
        self.roles.get(column).is_some_and(|role| *role != Role::Ours)
    }
}

/// Folds widths and case and drops all but letters and digits: `Phone Number` and `ＰＨＯＮＥ＿ＮＵＭＢＥＲ` are one.
#[must_use]
pub fn normal(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect()
}

/// The key of a kept column: the header as it stands, numbered where it comes again, `column_3` where there is none.
fn key_of(at: usize, cell: &str, before: &[(usize, Arc<str>)]) -> Arc<str> {
    let name = if cell.is_empty() { format!("column_{}", at + 1) } else { cell.to_owned() };
    let taken = |key: &str| before.iter().any(|(_, k)| &**k == key);
    let numbered = (2..=before.len() + 2).map(|n| format!("{name}_{n}"));
    std::iter::once(name.clone()).chain(numbered).find(|key| !taken(key)).unwrap_or(name).into()
}

fn positions(roles: &[Role], wanted: impl Fn(&Role) -> bool) -> Vec<usize> {
    roles.iter().enumerate().filter(|(_, role)| wanted(role)).map(|(at, _)| at).collect()
}

fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Columns of a rejects file that are not the list's own.
pub(super) const OURS: [&str; 7] =
    ["_row", "_line", "_column", "_code", "_reason_ja", "_reason_en", "_raw"];

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cells: &[&str]) -> Header {
        Header::new(cells.iter().copied(), &ColumnMap::default()).unwrap()
    }

    #[test]
    fn columns_are_known_by_japanese_and_english_names() {
        for (name, field) in [
            ("電話番号", Field::Phone),
            ("電話番号1", Field::Phone),
            ("電話番号（必須）", Field::Phone),
            ("ＴＥＬ", Field::Phone),
            ("TEL.", Field::Phone),
            ("携帯電話", Field::Phone),
            ("Phone Number", Field::Phone),
            ("phone_2", Field::Phone),
            ("Mobile Phone Number", Field::Phone),
            ("手机", Field::Phone),
            ("휴대폰", Field::Phone),
            ("顧客ID", Field::ExternalId),
            ("レコード番号", Field::ExternalId),
            ("Record ID", Field::ExternalId),
            ("氏名", Field::Name),
            ("お名前（漢字）", Field::Name),
            ("Contact Name", Field::Name),
            ("姓", Field::FamilyName),
            ("First Name", Field::GivenName),
            ("フリガナ", Field::Kana),
            ("ﾌﾘｶﾞﾅ", Field::Kana),
            ("氏名（カナ）", Field::Kana),
            ("会社名", Field::Company),
            ("言語", Field::Language),
            ("Do Not Call", Field::DoNotCall),
            ("NG", Field::DoNotCall),
            ("優先度", Field::Priority),
        ] {
            assert_eq!(Field::of(name), Some(field), "{name}");
        }
        for name in ["FAX番号", "電話番号(FAX)", "住所", "NG理由", "", "電話メモ", "_row", "※"]
        {
            assert_eq!(Field::of(name), None, "{name}");
        }
    }

    #[test]
    fn each_name_stands_for_one_field() {
        let mut names: Vec<&str> =
            Field::ALL.iter().flat_map(|f| f.names().split_whitespace()).collect();
        for name in &names {
            assert_eq!(*name, normal(name), "{name} is not in normal form");
        }
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_rest_is_kept_under_keys_of_its_own() {
        let header = header(&["電話番号", "備考", "備考", "", "_code", "name", "氏名"]);
        let keys: Vec<_> = header.kept.iter().map(|(at, key)| (*at, &**key)).collect();
        assert_eq!(keys, [(1, "備考"), (2, "備考_2"), (3, "column_4"), (5, "name"), (6, "氏名")]);
        assert_eq!(header.names, ["電話番号", "備考", "備考", "", "name", "氏名"]);
        assert!(!header.is_original(4) && header.is_original(3));
    }

    #[test]
    fn the_campaign_file_overrides_names() {
        let map =
            ColumnMap::from_texts([("phone", "ご自宅"), ("phone", "電話番号"), ("name", "備考")])
                .unwrap();
        let header = Header::new(["電話番号", "氏名", "備考", "ご自宅", "携帯"], &map).unwrap();
        assert_eq!(header.phones, [3, 0]);
        assert_eq!(header.column(Field::Name), Some(2));
        let keys: Vec<_> = header.kept.iter().map(|(at, key)| (*at, &**key)).collect();
        assert_eq!(keys, [(1, "氏名"), (2, "備考"), (4, "携帯")]);
        let error = Header::new(["電話番号"], &map).unwrap_err();
        assert!(matches!(error, HeaderError::NoSuchColumn { .. }), "{error}");
        assert!(ColumnMap::from_texts([("fon", "x")]).is_err());
    }

    #[test]
    fn a_list_without_phones_says_what_it_has() {
        let error = Header::new(["氏名", "FAX"], &ColumnMap::default()).unwrap_err();
        assert_eq!(error, HeaderError::NoPhone { found: "氏名, FAX".to_owned() });
    }
}
