"""What the connection, the vendors and our own machinery say."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.enums import System
from app.domain.error_catalogue.entries import REPEAT_LATER, TRY_LATER, Entry, Who

# fmt: off
_ENTRIES = (
    # ── connection and vendors ──
    Entry("automatic_off", Who.ADMIN, "自動同期がオフになったため、反映していません。",
          "処理を待つ間に、この向きの自動同期が切られました。",
          "必要なら手動で同期するか、自動同期の向きを設定し直してください。"),
    Entry("automatic_begins", Who.ADMIN, "自動同期の設定が変わったため、承認を待っています。",
          "設定を変えた後の最初の照合は、人が確かめて承認するまで書き込みません。",
          "自動同期を始める前の確認を承認してください。承認の後に、この従業員をもう一度照合します。"),
    Entry("preview_outdated", Who.ADMIN, "新しい確認に置き換わったため、この確認は取り消しました。",
          "自動同期の設定が変わったか、新しく照合しました。",
          "新しい確認が、ホームと接続の設定に表示されます。"),
    Entry("preview_replaced", Who.HR, "別の確認を始めたため、この確認は取り消しました。",
          "同じ人が、同じ接続と向きで、別の確認を始めました。何も書き込んでいません。",
          "新しい確認を承認してください。この内容が要るときは、もう一度確認を始めてください。"),
    Entry("connection_paused", Who.ADMIN, "接続が一時停止されています。",
          "管理者が接続を止めています。",
          "接続を再開してください。{again}"),
    Entry("needs_consent", Who.ADMIN, "freeeの認可が必要です。",
          "認可が取り消されたか、90日の期限が切れたか、アプリの権限が増えました。",
          "接続設定からfreeeの認可をやり直してください。", family="E18"),
    Entry("refresh_unknown", Who.ADMIN, "freeeのトークン更新の結果が分かりません。",
          "更新の応答が途中で失われました。更新は一度しか使えないため、自動では繰り返しません。",
          "接続設定からfreeeの認可をやり直してください。", family="E18"),
    Entry("export_settings_missing", Who.ADMIN, "エクスポート設定が登録されていません。",
          "freee人事労務に従業員を作成するには、四つの設定が必要です。",
          "接続の設定でエクスポート設定を登録してください。{again}", towards=System.FREEE),
    Entry("unreachable", Who.HR, "相手の製品に接続できません。",
          "通信の障害か、相手の停止です。",
          **TRY_LATER, family="E22"),
    Entry("unreadable_answer", Who.HR, "相手の製品の応答を読み取れません。",
          "予想と異なる形の応答が返りました。",
          **TRY_LATER, family="E22"),
    Entry("not_the_vendor", Who.ADMIN, "相手の製品ではなく、途中にある機器などが応答しました。",
          "プロキシ、ファイアウォール、ログイン画面など、Awaseと相手の製品の間にあるものが応答しています。"
          "従業員や権限の問題とは限りません。",
          "しばらくは自動で再試行します。続くときは、Awaseから相手の製品への通信経路（プロキシの許可リストなど）を"
          "ネットワークの担当者に確かめてください。{again}",
          elsewhere="少し待ってから、もう一度お試しください。続くときは、Awaseから相手の製品への通信経路"
          "（プロキシの許可リストなど）をネットワークの担当者に確かめてください。"),
    Entry("rate_limited", Who.SYSTEM, "利用回数の上限を守るため、順番を待っています。",
          "呼び出し回数を上限の内に抑えています。",
          "自動で続けます。", family="E21"),
    Entry("vendor_silent", Who.SYSTEM, "相手の製品が応答しません。",
          "要求を受け取ったまま答えない状態が続いています。ほかの接続を待たせないよう、しばらく間をおいています。",
          "間をおいて自動で確かめ、応答しだい続けます。長く続くときは、相手の製品の障害情報を確かめてください。",
          family="E21"),
    Entry("throttled", Who.SYSTEM, "freee人事労務が短時間のアクセスを制限しています。",
          "短い時間にアクセスが集中しました。",
          "10分ほど待って自動で続けます。", family="E21"),
    Entry("maintenance", Who.SYSTEM, "相手の製品がメンテナンス中です。",
          "計画されたメンテナンスです。",
          "終わりしだい自動で続けます。", family="E22"),
    Entry("smarthr_subdomain_inactive", Who.ADMIN, "SmartHRのサブドメインが変わったため、接続できません。",
          "SmartHRでサブドメインが変更されました。",
          "接続設定のサブドメインを新しいものに直してください。"),
    Entry("plan_limit", Who.RIGHTS, "契約の上限か対象外のため、操作できません。",
          "契約している人数の上限に達したか、契約に含まれない機能です。",
          "SmartHRまたはfreeeの契約内容を確かめてください。"),
    Entry("ip_not_permitted", Who.RIGHTS, "接続元のIPアドレスがSmartHRで許可されていません。",
          "アクセストークンのアクセス制限ルールに、このシステムのアドレスがありません。",
          "SmartHRのアクセス制限ルールに、このシステムの送信元アドレスを加えてください。", family="E3"),

    # ── our own machinery ──
    Entry("database_unavailable", Who.OPS, "データベースに接続できません。",
          "データベースの停止か、混雑です。",
          "少し待ってから、もう一度お試しください。続くときは、運用の担当者に知らせてください。"),
    Entry("stored_value_locked", Who.OPS, "保存した値のうち、いまの暗号鍵では開けないものがあります。",
          "必要な以前の鍵が、このプロセスの設定にありません。値は失われていません。",
          "運用の担当者に知らせてください。以前の鍵を ENCRYPTION_KEYS に戻すと、待っている処理は自動で続きます。"
          "どこに何件あるかは flask secrets status に出ます。"),
    Entry("passwords_busy", Who.OPS, "いま多くの人がサインインしているため、受け付けられませんでした。",
          "パスワードの確認が混み合っています。",
          "少し待ってから、もう一度お試しください。続くときは、運用の担当者に知らせてください。"),
    Entry("vendors_busy", Who.OPS, "SmartHRとfreee人事労務への問い合わせが混み合っています。",
          "同時に問い合わせられる数に達しています。",
          "少し待ってから、もう一度お試しください。続くときは、運用の担当者に知らせてください。"),
    Entry("vendors_late", Who.OPS, "SmartHRまたはfreee人事労務の応答に時間がかかっています。",
          "相手のシステムの応答が遅いため、待つのをやめました。変更の操作は、この後で済むことがあります。",
          "少し待ってから、結果を確かめてください。"),
    Entry("queue_unavailable", Who.SYSTEM, "処理の順番待ちに入れられませんでした。",
          "順番待ちの仕組みが止まっています。",
          "復旧しだい自動で続けます。"),
    Entry("poisoned", Who.OPS, "処理が繰り返し途中で止まったため、中止しました。",
          "この従業員の処理中に、システムが何度も停止しました。",
          "運用の担当者に、この同期のページのアドレスを知らせてください。", family="E23"),
    Entry("deadline", Who.HR, "期限までに終わらなかったため、中止しました。",
          "障害や利用上限が長く続きました。",
          **REPEAT_LATER),
    Entry("mail_refused", Who.ADMIN, "結果のメールを送れませんでした。",
          "メールサーバーが宛先や差出人を受け付けませんでした。",
          "通知先のメールアドレスとメールの設定を確かめてください。"),
    Entry("no_recipient", Who.ADMIN, "宛先がないため、メールを送っていません。",
          "接続の設定に、通知先のメールアドレスがありません。",
          "接続の設定で通知先のメールアドレスを登録してください。"),
    Entry("mail_unavailable", Who.SYSTEM, "メールサーバーに接続できません。",
          "メールサーバーの停止か、通信の障害です。",
          "自動で再送します。"),
    Entry("unexpected", Who.ADMIN, "予期しないエラーが起きました。",
          "これまでに知られていないエラーです。",
          "行った操作、手順、日時、メールの本文の四点を添えて、サポートに問い合わせてください。", family="E23"),
)
# fmt: on

SYSTEMS: Mapping[str, Entry] = {entry.code: entry for entry in _ENTRIES}
