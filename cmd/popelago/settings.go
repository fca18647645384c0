package main

import (
	"os"

	"github.com/spf13/pflag"

	"popelago/config"
)

// settingsFlags say where a server's settings are, or its data folder. The server and the
// commands that talk to it take the same, and so find each other.
type settingsFlags struct {
	file string
	data string
}

func (f *settingsFlags) add(flags *pflag.FlagSet) {
	f.addFile(flags)
	flags.StringVar(&f.data, "data", "", "the server's data folder `DIR` (default: the configuration's, or ./popelago-data)")
}

// addFile is add for commands that do without a data folder.
func (f *settingsFlags) addFile(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "config", "", "the server's configuration `FILE`")
}

// load returns the settings that the flags lead to: those of the file if there is one,
// otherwise those of "serve --dev"; the environment over them, and flags over that.
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

// serveCommand is the command line that starts the server these flags lead to.
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
