//! The texts of the screen. Only signs whose width no terminal doubts: ASCII takes one column, Japanese two.

use crate::cli::text::Lang;

/// Every text; a missing one does not compile.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) allowed: &'static str,
    pub(super) at_the_limit: &'static str,
    pub(super) done: &'static str,
    pub(super) draining_already: &'static str,
    pub(super) eta: &'static str,
    /// What each of [`HELP_KEYS`] does.
    pub(super) help: [&'static str; HELP_KEYS.len()],
    pub(super) keys: &'static str,
    pub(super) keys_attached: &'static str,
    pub(super) leads_held: &'static str,
    pub(super) leads_ready: &'static str,
    pub(super) leads_waiting: &'static str,
    pub(super) limit: &'static str,
    pub(super) more_agents: fn(usize) -> String,
    pub(super) more_lines: fn(usize) -> String,
    pub(super) nobody: &'static str,
    pub(super) not_done: &'static str,
    pub(super) not_in_ratio: &'static str,
    pub(super) old_legs: fn(u64) -> String,
    pub(super) owes: fn(u64, u32) -> String,
    pub(super) pacing: &'static str,
    pub(super) sure_drain: &'static str,
    pub(super) kept_for_return_calls: &'static str,
    pub(super) sure_agentless: &'static str,
    pub(super) sure_predictive: &'static str,
    pub(super) sure_ratio: &'static str,
    pub(super) uncovered: &'static str,
    pub(super) unstored: fn(u64) -> String,
    pub(super) yes_or_no: &'static str,
    lang: Lang,
}

/// The texts of a language.
pub(super) const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::Ja => &JA,
        Lang::En => &EN,
    }
}

/// The keys that the help explains.
pub(super) const HELP_KEYS: [&str; 8] =
    ["p", "+ -", "m f a < >", "d", "Tab t", "q", "Ctrl-C", "? Esc"];

impl Words {
    pub(super) const fn lang(&self) -> Lang {
        self.lang
    }

    /// A stable text of the view (state of a campaign or the store, what dialing waits for, dial mode) as people say it.
    /// One that this version does not know stays as it is.
    pub(super) fn say<'a>(&self, text: &'a str) -> &'a str {
        let table: &[(&str, &str)] = match self.lang {
            Lang::Ja => &SAID_JA,
            Lang::En => &SAID_EN,
        };
        table.iter().find(|(stable, _)| *stable == text).map_or(text, |(_, said)| said)
    }
}

const SAID_EN: [(&str, &str); 11] = [
    ("return_calls", "people who call back: the free agents are kept for them"),
    ("campaign_rate", "the campaign's calls per second"),
    ("prefix_rate", "the calls per second to numbers like the next ones"),
    ("carrier", "the carrier, which fails: only probes go out"),
    ("cold_start", "more answers: too little is known yet"),
    ("doubt", "the prediction"),
    ("risk", "the risk that nobody is free"),
    ("small_team", "a larger team: prediction does not help this one"),
    ("calls_per_second", "calls per second"),
    ("slow", "slow: no new calls while it lasts"),
    ("gone", "GONE: no new calls; calls go on, their facts wait in memory"),
];

const SAID_JA: [(&str, &str); 34] = [
    ("manual", "マニュアル(担当者が相手を指定)"),
    ("return_calls", "折返し着信(待機中の担当者を確保中)"),
    ("agentless", "自動案内"),
    ("preview", "プレビュー"),
    ("campaign_rate", "業務の発信/秒の上限"),
    ("prefix_rate", "番号帯の発信/秒の上限"),
    ("carrier", "通信事業者の障害(試験発信のみ)"),
    ("cold_start", "応答実績(まだ少数)"),
    ("doubt", "予測"),
    ("predictive", "プレディクティブ"),
    ("risk", "担当者不在の危険率"),
    ("small_team", "担当者の増員(少人数のため予測なし)"),
    ("lease", "データベースの応答"),
    ("share", "他のプロセスの発信枠"),
    ("running", "発信中"),
    ("paused", "一時停止"),
    ("draining", "終了処理中"),
    ("finished", "終了"),
    ("agents", "担当者"),
    ("list", "リスト"),
    ("calls_per_second", "発信/秒の上限"),
    ("channels", "チャネルの空き"),
    ("lines", "回線数の上限"),
    ("store", "データベース"),
    ("clock", "データベースとの時計の差"),
    ("state", "再開"),
    ("hours", "架電可能時間"),
    ("trunk", "回線"),
    ("credit", "放棄呼台帳の余裕"),
    ("progressive", "プログレッシブ"),
    ("ratio", "レシオ"),
    ("ok", "正常"),
    ("slow", "遅延: 新規発信なし"),
    ("gone", "接続断: 新規発信なし、通話は継続、記録はメモリーで待機"),
];

const EN: Words = Words {
    allowed: "allowed",
    at_the_limit: "that is the trunk's limit",
    done: "done",
    draining_already: "draining already; Ctrl-C ends every call",
    eta: "ETA",
    help: [
        "pause or resume the campaign; calls in progress go on",
        "more or fewer calls per second, up to the trunk's limit",
        "m ratio, f predictive, a agentless, again: back; < > the ratio",
        "drain: no new calls; the dialer ends when the last one is over",
        "next campaign, next trunk: the one that the keys are about has a >",
        "leave `outdial view`; in `run` and `demo` the same as d",
        "`run` and `demo`: drain; a second time: end every call now",
        "this help, and back",
    ],
    keys: " p pause  + - calls/s  m mode  d drain  ? help",
    keys_attached: " p pause  + - calls/s  m mode  d drain  q leave  ? help",
    kept_for_return_calls: "agents kept for return calls",
    leads_held: "held",
    leads_ready: "ready",
    leads_waiting: "later",
    limit: "limit",
    more_agents: |n| format!("and {n} more"),
    more_lines: |n| format!("({n} more lines: make the window higher)"),
    nobody: "nobody is in outdial.toml",
    not_done: "nothing was done",
    not_in_ratio: "the campaign is not in ratio mode: m first",
    old_legs: |n| format!("ending {n} calls of an earlier process"),
    owes: |owed, may| format!("owes {owed} (may {may})"),
    pacing: "pacing",
    sure_drain: "No new calls, and the dialer ends when those in progress are over?",
    sure_agentless: "No agents: whoever answers hears the campaign's message?",
    sure_predictive: "More lines than free agents, as the prediction says and the ledger has credit?",
    sure_ratio: "More lines than free agents, as far as the ledger has credit?",
    uncovered: "uncovered",
    unstored: |n| format!("{n} facts wait"),
    yes_or_no: "y / n",
    lang: Lang::En,
};

const JA: Words = Words {
    allowed: "可",
    at_the_limit: "回線の上限です",
    done: "完了しました",
    draining_already: "終了処理中です。Ctrl-C で全通話を切断します",
    eta: "残り",
    help: [
        "業務の一時停止・再開(通話中の呼は続きます)",
        "発信/秒を増減(回線の上限まで)",
        "m レシオ、f 予測、a 自動案内(もう一度で戻る)、< > 倍率を増減",
        "新規発信をやめ、進行中の呼が終わりしだい終了",
        "次の業務、次の回線(操作の対象に > が付きます)",
        "outdial view を閉じる(run と demo では d と同じ)",
        "run と demo: 新規発信をやめる。二度目で全通話を切断",
        "この説明を表示・閉じる",
    ],
    keys: " p 一時停止  + - 発信/秒  m 方式  d 終了  ? 操作説明",
    keys_attached: " p 一時停止  + - 発信/秒  m 方式  d 終了  q 画面を閉じる  ? 操作説明",
    kept_for_return_calls: "折返し着信のための担当者",
    leads_held: "保留",
    leads_ready: "発信可",
    leads_waiting: "後日",
    limit: "上限",
    more_agents: |n| format!("ほか {n} 名"),
    more_lines: |n| format!("(あと {n} 行: 画面を縦に広げてください)"),
    nobody: "outdial.toml に担当者がいません",
    not_done: "取り消しました",
    not_in_ratio: "レシオではありません。先に m を押してください",
    old_legs: |n| format!("前回の呼 {n} 件を終了中"),
    owes: |owed, may| format!("超過 {owed} 件 (許容 {may} 件)"),
    pacing: "発信予測",
    sure_drain: "新規発信をやめ、進行中の呼が終わりしだい終了しますか?",
    sure_agentless: "担当者なしで、応答した方に業務の案内を流しますか?",
    sure_predictive: "予測に従い、台帳の余裕の範囲で、待機中の担当者より多く発信しますか?",
    sure_ratio: "台帳の余裕の範囲で、待機中の担当者より多く発信しますか?",
    uncovered: "担当者未確保",
    unstored: |n| format!("記録待ち {n} 件"),
    yes_or_no: "y / n",
    lang: Lang::Ja,
};
