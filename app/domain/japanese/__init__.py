"""Japanese writing: kana and width, addresses, prefectures and municipalities, telephone numbers."""
