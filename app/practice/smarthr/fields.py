"""The attributes of a SmartHR crew: which kind of value each takes and what it is called in error messages.

As SmartHR's published API has them. Kinds: text, kana (full-width katakana), date, bool, int, address, attachment,
master (an object on read, its name on write), or a tuple of allowed words.
"""

from __future__ import annotations

Kind = str | tuple[str, ...]


def _kind(kind: Kind, names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), kind)


WRITABLE: dict[str, Kind] = {
    **_kind(
        "text",
        "user_id emp_code last_name first_name business_last_name business_first_name tel_number email"
        " address_head_of_family address_relation_name resident_card_address_head_of_family"
        " resident_card_address_relation_name emergency_relation_name emergency_last_name emergency_first_name"
        " emergency_tel_number resigned_reason biz_establishment_id occupation nearest_station_and_line"
        " emp_ins_insured_person_number previous_workplace basic_pension_number first_workplace"
        " first_workplace_address_text last_workplace last_workplace_address_text handicapped_note_type school_name"
        " widow_memo foreign_resident_last_name foreign_resident_first_name foreign_resident_middle_name"
        " foreign_resident_card_number nationality_code resident_status_type resident_status_other_reason",
    ),
    **_kind(
        "kana",
        "last_name_yomi first_name_yomi business_last_name_yomi business_first_name_yomi"
        " emergency_last_name_yomi emergency_first_name_yomi",
    ),
    **_kind(
        "date",
        "birth_at entered_at resigned_at contract_start_on contract_end_on monthly_standard_income_updated_at"
        " emp_ins_qualified_at emp_ins_disqualified_at previous_employment_start_on previous_employment_end_on"
        " first_employment_start_on first_employment_end_on last_employment_start_on last_employment_end_on"
        " health_insurance_qualified_at health_insurance_disqualified_at employees_pension_insurance_qualified_at"
        " employees_pension_insurance_disqualified_at soc_ins_qualified_at soc_ins_disqualified_at"
        " handicapped_note_delivery_at enrolled_at resident_end_at",
    ),
    **_kind(
        "int",
        "monthly_base_salary monthly_income_currency monthly_income_goods monthly_standard_income_hel"
        " monthly_standard_income_pns commutation_1_expenses commutation_1_single_fare commutation_2_expenses"
        " commutation_2_single_fare soc_ins_insured_person_number hel_ins_insured_person_number"
        " health_insurance_premium_company health_insurance_premium_individual care_insurance_premium_company"
        " care_insurance_premium_individual child_care_support_fund_company child_care_support_fund_individual"
        " employees_pension_insurance_premium_company employees_pension_insurance_premium_individual"
        " child_care_contribution spouse_yearly_income working_student_income",
    ),
    **_kind(
        "bool",
        "first_enrolling_in_emp_pns_ins_flag having_spouse working_student_flag employment_income_flag"
        " business_income_flag devidend_income_flag estate_income_flag",
    ),
    **_kind("address", "address resident_card_address emergency_address"),
    **_kind(
        "attachment",
        "address_image identity_card_image1 identity_card_image2 resume1 resume2 emp_ins_insured_person_number_image"
        " basic_pension_number_image handicapped_image student_card_image foreign_resident_card_image1"
        " foreign_resident_card_image2",
    ),
    **_kind("master", "recruitment_type grade job_category"),
    "gender": ("male", "female"),
    "emp_status": ("employed", "absent", "retired"),
    "emp_type": (
        "board_member",
        "full_timer",
        "contract_worker",
        "permatemp",
        "part_timer",
        "outsourcing_contractor",
        "etc",
    ),
    "contract_type": ("unlimited", "fixed_term"),
    "contract_renewal_type": ("renewal", "none", "auto_renewal"),
    **_kind(
        ("commutation_period_1_month", "commutation_period_3_month", "commutation_period_6_month"),
        "commutation_1_period commutation_2_period",
    ),
    "tax_cd": ("kou", "otsu", "hei", "reward", "non_resident", "no_taxation_required"),
    "emp_ins_insured_person_number_unknown_reason_type": ("no_work_experience", "never_joined", "unknown"),
    "basic_pension_number_unknown_reason_type": ("non_pensionable", "unknown"),
    "insurance_premium_calculation_type": ("rate", "fixed"),
    "handicapped_type": ("ordinary_handicapped", "special_handicapped"),
    "widow_type": ("widow", "single_parent"),
    "widow_reason_type": ("divorce", "bereavement", "missing", "unmarried"),
    "having_ex_activity_permission": ("permitted", "none"),
    "other_be_workable_type": ("other_be_workable", "others"),
    **_kind(
        "special",
        "employment_type_id payment_period_id department departments department_ids position positions bank_accounts"
        " custom_fields profile_image",
    ),
}
"""Every property a write may carry. "special" ones have rules of their own. A property not named here is ignored."""

_WRITE_ONLY = {"employment_type_id", "payment_period_id", "department_ids", "profile_image"}
_READ_ONLY = (
    "id employment_type preferred_last_name preferred_first_name preferred_last_name_yomi preferred_first_name_yomi"
    " profile_images payment_period created_at updated_at"
)
READABLE: tuple[str, ...] = (*(name for name in WRITABLE if name not in _WRITE_ONLY), *_READ_ONLY.split())
"""Every attribute of an answer; all of them are always there unless hidden or not asked for."""

NOT_EMPTIABLE = (
    "last_name",
    "first_name",
    "last_name_yomi",
    "first_name_yomi",
    "gender",
    "birth_at",
    "address",
)
"""Attributes that a write cannot empty once they are filled."""

ADDRESS_PARTS = ("country_number", "zip_code", "pref", "city", "street", "building", "literal_yomi")
_PREFECTURES = (
    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県 新潟県 富山県"
    " 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県"
    " 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県"
)
PREFECTURES_IN_ORDER = tuple(_PREFECTURES.split())
PREFECTURES = frozenset(PREFECTURES_IN_ORDER)

_LABELS = {
    "emp_code": "社員番号",
    "emp_status": "在籍状況",
    "emp_type": "雇用形態",
    "last_name": "姓",
    "first_name": "名",
    "last_name_yomi": "姓（ヨミガナ）",
    "first_name_yomi": "名（ヨミガナ）",
    "birth_at": "生年月日",
    "gender": "戸籍上の性別",
    "tel_number": "電話番号",
    "address": "現住所",
    "resident_card_address": "住民票住所",
    "emergency_address": "緊急連絡先の住所",
    "entered_at": "入社年月日",
    "resigned_at": "退職年月日",
    "occupation": "業務内容",
    "having_spouse": "配偶者の有無",
    "working_student_flag": "勤労学生",
    "widow_type": "寡婦・ひとり親",
    "handicapped_type": "障害者区分",
    "emp_ins_insured_person_number": "雇用保険の被保険者番号",
    "emp_ins_qualified_at": "雇用保険の資格取得年月日",
    "basic_pension_number": "基礎年金番号",
    "hel_ins_insured_person_number": "健康保険の被保険者整理番号",
    "soc_ins_insured_person_number": "厚生年金保険の被保険者整理番号",
    "monthly_standard_income_hel": "標準報酬月額（健康保険）",
    "monthly_standard_income_pns": "標準報酬月額（厚生年金）",
    "zip_code": "従業員の住所（郵便番号）",
    "pref": "従業員の住所（都道府県）",
    "city": "従業員の住所（市区町村）",
    "literal_yomi": "従業員の住所（ヨミガナ）",
    "country_number": "従業員の住所（国コード）",
    "bank_accounts": "口座情報",
    "bank_code": "銀行コード",
    "bank_branch_code": "支店コード",
    "account_type": "預金種別",
    "account_number": "口座番号",
    "account_holder_name": "口座名義",
    "transfer_type": "振込方法",
    "transfer_category": "振込区分",
    "bank_account_setting_id": "口座設定",
    "position": "役職",
    "positions": "役職",
    "department_ids": "部署",
    "employment_type_id": "雇用形態",
    "payment_period_id": "給与支給形態",
    "custom_fields": "カスタム項目",
}


def label(name: str) -> str:
    """The attribute's name in a message; an attribute without an entry in `_LABELS` keeps its technical name."""
    return _LABELS.get(name, name)
