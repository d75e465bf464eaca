"""The built-in generators; they use nothing but the contract."""
