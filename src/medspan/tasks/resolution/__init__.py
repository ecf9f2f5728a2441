"""From mentions to concepts: terminologies are read, indexed, and looked up offline."""
