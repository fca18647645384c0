package main

import (
	"os"

	"github.com/spf13/pflag"

	"popelago/config"
)

// settingsFlags select the server's settings, or its data folder. The server and the commands that
// talk to it have the same flags, so that each command finds its server.
type settingsFlags struct {
	file string
	data string
}

func (f *settingsFlags) add(flags *pflag.FlagSet) {
	f.addFile(flags)
	flags.StringVar(&f.data, "data", "", "the server's data folder `DIR` (default: the configuration's, or ./popelago-data)")
}

// addFile is add for commands without a data folder.
func (f *settingsFlags) addFile(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "config", "", "the server's configuration `FILE`")
}

// load returns the settings selected by the flags: the configuration file, or else the settings of
// "serve --dev"; the environment overrides both, and flags override all.
func (f *settingsFlags) load() (config.Config, error) {
	if f.file != "" {
		cfg, err := config.Load(f.file, os.Environ())
		if err != nil {
			return config.Config{}, err
		}
		if f.data != "" {
			cfg.DataDir = f.data
		}
		return cfg, nil
	}
	cfg := config.Dev(config.Default().DataDir)
	if err := cfg.ApplyEnv(os.Environ()); err != nil {
		return config.Config{}, err
	}
	if f.data != "" {
		cfg.DataDir = f.data
	}
	return cfg, nil
}

// serveCommand returns the command line that starts the server of these flags.
func (f *settingsFlags) serveCommand() string {
	line := "popelago serve --dev"
	if f.file != "" {
		line = "popelago serve --config " + shellWord(f.file)
	}
	if f.data != "" {
		line += " --data " + shellWord(f.data)
	}
	return line
}
