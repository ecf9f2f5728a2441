"""The folder of a model, for medspan to find: there is no code here."""
