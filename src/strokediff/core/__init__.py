"""The mathematics: schedules, the synchronous process, losses, seeds."""
