"""The rules by which a value may be changed on its way, and the questions where no rule applies. See `normal_form` and
the codecs. A rule is noted with every change it had a part in, so that people see how the value was read."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.error_catalogue.entries import Entry, Who

_NOTHING_TO_DO = "対応は必要ありません。意図と異なるときは、{source}の値を直してください。"

# fmt: off
_ENTRIES = (
    # ── rules: told with the change ──
    Entry("rule_invisible", Who.HR, "目に見えない文字を取り除きました。",
          "ゼロ幅スペースなど、形のない文字だけを除きます。漢字の字形を選ぶ異体字セレクタは残します。", _NOTHING_TO_DO),
    Entry("rule_composed", Who.HR, "分かれて保存されていた濁点などを、一つの文字にまとめました。",
          "見た目も意味も同じ文字です。人名の異体字は変えません。", _NOTHING_TO_DO),
    Entry("rule_blanks", Who.HR, "特殊な空白を、ふつうの空白にしました。",
          "改行しない空白や幅の狭い空白です。値の比較でも区別しません。", _NOTHING_TO_DO),
    Entry("rule_edges", Who.HR, "前後の空白を取り除きました。",
          "値の前後の空白と改行には意味がありません。", _NOTHING_TO_DO),
    Entry("rule_width", Who.HR, "全角・半角を、項目の決まりにそろえました。",
          "番号は半角、カナと名義は全角で持ちます。文字そのものは変わりません。", _NOTHING_TO_DO),
    Entry("rule_marks", Who.HR, "離れた濁点・半濁点を、前のカナと合わせました。",
          "カ゛をガとします。濁点の付かないカナのときは合わせません。", _NOTHING_TO_DO),
    Entry("rule_katakana", Who.HR, "ひらがなをカタカナにしました。",
          "ヨミガナはカタカナで持つ項目で、読みは変わりません。", _NOTHING_TO_DO),
    Entry("rule_hyphens", Who.HR, "ハイフンの種類をそろえました。",
          "番号の間のダッシュ・長音・空白・〒は、区切りとしてだけ使われています。数字は変わりません。", _NOTHING_TO_DO),
    Entry("rule_capitals", Who.HR, "口座名義の小文字を大文字にしました。",
          "銀行の口座名義に小文字はありません。", _NOTHING_TO_DO),
    Entry("rule_zeros", Who.HR, "番号の前に0を補いました。",
          "銀行コードは4桁、支店コードは3桁、口座番号は7桁で、足りない桁は前に0を置く決まりです。", _NOTHING_TO_DO),
    Entry("rule_yucho", Who.HR, "ゆうちょ銀行の8桁の番号から、末尾の1を除いて7桁にしました。",
          "ゆうちょ銀行の案内で、他行からの振込に使う口座番号は、通常貯金・通常貯蓄貯金の番号から末尾の1桁（必ず1）を"
          "除いた7桁です。8桁で末尾が1のときだけ除きます。", _NOTHING_TO_DO),
    Entry("rule_country_code", Who.HR, "電話番号の+81を、国内でかけるときの0にしました。",
          "日本の国番号です。", _NOTHING_TO_DO),
    Entry("rule_phone_plan", Who.HR, "電話番号を、番号計画のとおりに区切りました。",
          "数字は変えず、ハイフンの位置だけを市外局番や携帯電話・フリーダイヤルの決まりに合わせます。", _NOTHING_TO_DO),

    Entry("rule_prefecture", Who.HR, "都道府県名に「都・道・府・県」を補いました。",
          "47の都道府県に、略した名前が同じものはありません。", _NOTHING_TO_DO),

    # ── questions ──
    Entry("control_signs", Who.HR, "値の途中に改行やタブなどの制御文字があるため、反映できません。",
          "一行の項目に改行は入りません。どこまでが値かを判断できません。",
          "改行などを取り除いて入力し直してください。", family="E16"),
    Entry("private_signs", Who.HR, "外字があるため、反映できません。",
          "外字は、登録した環境の外では別の文字になるか、表示されません。",
          "標準の漢字かカナに直してください。", family="E16"),
    Entry("unusable_signs", Who.HR, "絵文字や壊れた文字など、{target}に渡せない文字があります。",
          "絵文字、表示の向きを変える文字、または文字化けです。",
          "その文字を取り除いて入力し直してください。", family="E16"),
    Entry("kana_hyphen", Who.HR, "カナにハイフンがあるため、反映できません。",
          "ハイフンが姓の区切りなのか、長音「ー」の代わりなのかを判断できません。",
          "長音は「ー」、区切りは「・」か空白に直してください。", family="E16"),
    Entry("hyphen_places", Who.HR, "番号のハイフンの位置が決まりと合わないため、反映できません。",
          "桁の書き落としや書き足しの可能性があります。",
          "番号を確かめて、正しい位置にハイフンを入れるか、ハイフンなしで入力してください。", family="E16"),
    Entry("yucho_number", Who.HR, "ゆうちょ銀行の番号を、振込用の7桁に直せないため、反映できません。",
          "8桁のときは末尾が必ず1です。7桁に満たない1で終わる番号と、振替口座の8桁の番号は、どの桁が正しいか判断できません。",
          "通帳かゆうちょ銀行の案内で振込用の7桁の口座番号を確かめ、その番号を入力してください。", family="E16"),
)
# fmt: on

NAMED_RULES: Mapping[str, Entry] = {entry.code: entry for entry in _ENTRIES}
