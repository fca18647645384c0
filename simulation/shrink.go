package simulation

// Shrink looks for fewer faults with which a run still breaks a promise, by leaving out parts of the faults, and
// returns them. run makes a run in a bubble of its own; at most is the count of runs.
func Shrink(cfg Config, run func(Config) Result, most int) Config {
	for size := (len(cfg.Faults) + 1) / 2; size > 0; size /= 2 {
		for from := 0; from < len(cfg.Faults) && most > 0; {
			try := cfg
			try.Faults = without(cfg.Faults, from, min(from+size, len(cfg.Faults)))
			most--
			if len(run(try).Violations) > 0 {
				cfg = try
			} else {
				from += size
			}
		}
	}
	return cfg
}
