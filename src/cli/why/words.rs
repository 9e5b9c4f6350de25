//! The words of `outdial why` in both languages.

use crate::cli::text::Lang;
use crate::logic::compliance::local_time;
use crate::logic::dialer::NextCall;
use crate::logic::gate::Gate;
use crate::logic::time::UtcMs;

pub(super) use crate::cli::text::either;

/// What a closed gate means.
pub(super) const fn meaning(lang: Lang, gate: Gate) -> &'static str {
    let (en, ja) = match gate {
        Gate::LeaseLost => ("another process has it", "別のプロセスが確保中"),
        Gate::NodeLease => ("the process's lease is over", "プロセスの有効期限切れ"),
        Gate::CampaignState => ("the campaign is not running", "業務が実行中でない"),
        Gate::Suppressed => ("on a do-not-call list", "架電禁止リストにある"),
        Gate::NumberBusy => ("a call to it is under way", "この番号へ発信中・通話中"),
        Gate::PerDay => ("calls of 24 hours are used up", "24時間の架電回数上限"),
        Gate::Per30Days => ("calls of 30 days are used up", "30日の架電回数上限"),
        Gate::Total => ("attempts are used up", "総架電回数上限"),
        Gate::MinGap => ("too soon after the last call", "前回の架電から間隔不足"),
        Gate::Undelivered => ("too many calls that nobody heard", "未達の発信が多い"),
        Gate::Hours => ("outside calling hours", "架電可能時間外"),
        Gate::Country => ("not a country of the campaign", "業務の対象国でない"),
        Gate::TestOnly => ("not one of test_only", "test_only の番号でない"),
        Gate::NeverDial => ("a number that is never dialed", "発信しない特別な番号"),
        Gate::NoNumber => ("no number is left", "有効な番号がない"),
        Gate::Retry => ("waits for the retry rule", "再架電待ち"),
        Gate::Callback => ("a call is promised for later", "再コール予約待ち"),
        Gate::Credit => ("no credit in the ledger", "放棄呼枠なし"),
        Gate::Skipped => ("an agent passed it by in preview", "担当者がプレビューで見送り"),
    };
    either(lang, en, ja)
}

/// The stable text of what happens next.
pub(super) const fn next_code(next: NextCall) -> &'static str {
    match next {
        NextCall::Now => "now",
        NextCall::At(_) => "at",
        NextCall::UnderWay => "under_way",
        NextCall::Held => "held",
        NextCall::Over => "over",
        NextCall::Never(_) => "never",
    }
}

/// What happens next, in words.
pub(super) fn next(lang: Lang, next: NextCall, before: u64, zone: &str) -> String {
    let text = match next {
        NextCall::Now if before > 0 => {
            return match lang {
                Lang::En => format!("may be called now; {before} ready leads rank before it"),
                Lang::Ja => format!("今すぐ発信できます。前に {before} 件あります"),
            };
        }
        NextCall::At(at) => {
            let at = local_time::shown(zone, at);
            return match lang {
                Lang::En => format!("next call not before {at}"),
                Lang::Ja => format!("次の発信は {at} 以降"),
            };
        }
        NextCall::Never(gate) => {
            return match lang {
                Lang::En => format!("not called: {}", meaning(lang, gate)),
                Lang::Ja => format!("発信しません: {}", meaning(lang, gate)),
            };
        }
        NextCall::Now => ("may be called now: it is next", "今すぐ発信できます(次の順番)"),
        NextCall::UnderWay => (
            "a dialer has it: being called, or next",
            "発信プログラムが確保中(発信中または次の順番)",
        ),
        NextCall::Held => {
            ("its talk has no disposition: somebody must say how it went", "対応結果が未入力です")
        }
        NextCall::Over => ("nothing more to do", "完了"),
    };
    either(lang, text.0, text.1).to_owned()
}

/// A gate's verdict.
pub(super) fn verdict(lang: Lang, open: bool, until: Option<UtcMs>, zone: &str) -> String {
    match (open, until) {
        (true, _) => either(lang, "open", "可").to_owned(),
        (false, None) => either(lang, "closed", "不可").to_owned(),
        (false, Some(until)) => {
            let until = local_time::shown(zone, until);
            match lang {
                Lang::En => format!("closed until {until}"),
                Lang::Ja => format!("{until} まで不可"),
            }
        }
    }
}
