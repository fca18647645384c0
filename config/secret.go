package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
)

// minTokenLength is the least length of a token in octets: nobody guesses 16 random letters.
const minTokenLength = 16

// ReadToken reads a secret that gives access over the network, and must be hard to guess. HTTP drops blanks at the ends of a
// header, so a token with such blanks would never match.
func ReadToken(file string) (string, error) {
	token, err := ReadSecret(file)
	const help = "head -c 24 /dev/urandom | base64 >"
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(token) != token:
		return "", fmt.Errorf("read secret: %s: a token has no blanks at its begin or end: %s%s", file, help, shellWord(file))
	case len(token) < minTokenLength:
		return "", fmt.Errorf("read secret: %s: a token of %d octets can be guessed, %d are needed: %s%s",
			file, len(token), minTokenLength, help, shellWord(file))
	}
	return token, nil
}

// ReadSecret reads the only line of a private file (CheckPrivate), without the line end and a byte order mark. Errors name
// the file, and never quote the secret.
func ReadSecret(file string) (string, error) {
	if err := CheckPrivate(file); err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), "\uFEFF") // of editors on Windows
	switch {
	case secret == "":
		return "", fmt.Errorf("read secret: %s: %w", file, errors.New("the file is empty"))
	case strings.ContainsAny(secret, "\r\n"):
		return "", fmt.Errorf("read secret: %s: %w", file, errors.New("more than one line"))
	case strings.ContainsFunc(secret, unicode.IsControl) || strings.Contains(secret, "\uFEFF"):
		return "", fmt.Errorf("read secret: %s: %w", file, errors.New("control characters: the file must be text in UTF-8"))
	}
	return secret, nil
}
