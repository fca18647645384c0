package config

import "fmt"

// latestVersion is the newest version of the defaults. A release that changes a default raises
// latestVersion, and gives the old default to every configuration file with an older config_version: so
// an upgrade changes nothing by itself. Version 1 is the first.
const latestVersion = 1

// checkVersion refuses versions of later releases, whose defaults this program does not know.
func checkVersion(version int) error {
	if version > latestVersion {
		return fmt.Errorf("is from a later release: this program knows the versions 1 to %d", latestVersion)
	}
	return nil
}
