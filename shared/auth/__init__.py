"""Who calls: bearer tokens of the identity provider, verified here and nowhere trusted by themselves."""
