// Package browser drives headless Chromium, over the DevTools protocol, for tests of web pages. A program of
// Chromium must be installed, see Need. Only tests use the package.
//
// A Page acts as a person with a keyboard: it writes into fields that have a label, and presses keys on links
// and buttons. A Page collects the faults that a person does not see: errors in the console of the browser,
// violations of the Content-Security-Policy, dialogs, and controls without a name.
package browser
