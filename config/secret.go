package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// ReadSecret reads the one line of a file that holds a secret. The line end is not part of
// it. Errors name the file, never what is in it.
func ReadSecret(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case secret == "":
		return "", fmt.Errorf("read secret: %s: %w", file, errors.New("the file is empty"))
	case strings.ContainsAny(secret, "\r\n"):
		return "", fmt.Errorf("read secret: %s: %w", file, errors.New("more than one line"))
	}
	return secret, nil
}
