//! Made-up people, the same every time.

/// One person, with the number in no order, as in a real list.
pub(crate) struct Person {
    n: u64,
    digits: u64,
}

impl Person {
    pub(crate) const fn new(n: u64) -> Self {
        // One to one on 26 bits: nobody shares a number.
        let mut x = n.wrapping_mul(0x9E37_79B1) & MASK;
        x ^= x >> 13;
        x = x.wrapping_mul(0x85EB_CA6B) & MASK;
        x ^= x >> 11;
        Self { n, digits: 10_000_000 + x }
    }

    pub(crate) fn external_id(&self) -> String {
        format!("C{:08}", self.n)
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", FAMILY[self.at(1)], GIVEN[self.at(10)])
    }

    pub(crate) fn key(&self) -> String {
        format!("+8190{:08}", self.digits)
    }

    /// As `contact.custom` has it.
    pub(crate) fn custom(&self) -> String {
        let [name, kana, company, address, plan, memo] = self.more();
        let id = self.external_id();
        format!(
            "[[\"顧客番号\",\"{id}\"],[\"氏名\",\"{name}\"],[\"フリガナ\",\"{kana}\"],[\"会社名\",\"{company}\"],\
             [\"住所\",\"{address}\"],[\"商品\",\"{plan}\"],[\"備考\",\"{memo}\"]]"
        )
    }

    fn more(&self) -> [String; 6] {
        let n = self.n;
        [
            self.name(),
            KANA[self.at(1)].to_owned(),
            format!("株式会社{}商事", FAMILY[self.at(10)]),
            format!("東京都千代田区丸の内{}-{}-{}", n % 9 + 1, n % 20 + 1, n % 30 + 1),
            format!("プラン{}", n % 5),
            format!("memo {n}"),
        ]
    }

    fn at(&self, unit: u64) -> usize {
        usize::try_from(self.n / unit % 10).unwrap()
    }

    pub(crate) fn line(&self) -> String {
        let [name, kana, company, address, plan, memo] = self.more();
        let (id, digits) = (self.external_id(), self.digits);
        let (middle, last) = (digits / 10_000, digits % 10_000);
        format!(
            "{id},{name},{kana},090-{middle:04}-{last:04},{company},{address},{plan},{memo}\r\n"
        )
    }
}

const MASK: u64 = (1 << 26) - 1;
const FAMILY: [&str; 10] =
    ["佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤"];
const GIVEN: [&str; 10] =
    ["太郎", "花子", "一郎", "美咲", "健", "陽子", "大輔", "愛", "翔", "結衣"];
const KANA: [&str; 10] = [
    "サトウ",
    "スズキ",
    "タカハシ",
    "タナカ",
    "イトウ",
    "ワタナベ",
    "ヤマモト",
    "ナカムラ",
    "コバヤシ",
    "カトウ",
];
