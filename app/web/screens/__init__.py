"""The pages people work in: one room per area, all on the blueprint of `base`."""
