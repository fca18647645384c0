package adminclient

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Setting is a setting in force.
type Setting struct {
	Key     string `json:"key" example:"pop3.listen"`
	Value   string `json:"value" doc:"In the form of the configuration file."`
	Default string `json:"default"`
	Origin  string `json:"origin,omitempty" doc:"File and line, variable or flag that set the value; absent: the default."`
}

// SettingList is all settings, in the order of the reference.
type SettingList struct {
	Settings []Setting `json:"settings" nullable:"false"`
}

// Reload reports a reload of the configuration.
type Reload struct {
	Applied []string `json:"applied" nullable:"false" doc:"Changed settings that count now."`
	Restart []string `json:"restart" nullable:"false" doc:"Changed settings that count after a restart."`
}

// NewLogLevel asks for another level of the log.
type NewLogLevel struct {
	Level string `json:"level" enum:"debug,info,warn,error"`
	For   string `json:"for,omitempty" maxLength:"30" doc:"Time until the configured level counts again, such as 10m; absent: until the next change or restart." example:"10m"`
}

// LogLevel is the level of the log.
type LogLevel struct {
	Level      string     `json:"level" doc:"The level in force."`
	Configured string     `json:"configured" doc:"The level of the configuration."`
	Until      *time.Time `json:"until,omitempty" doc:"When the configured level counts again; absent: not by itself."`
}

// Settings returns the settings in force on the server; nonDefault leaves out those with their default.
func (c *Client) Settings(ctx context.Context, nonDefault bool) ([]Setting, error) {
	var list SettingList
	err := c.call(ctx, http.MethodGet, "/v1/config?nonDefault="+strconv.FormatBool(nonDefault), nil, &list)
	return list.Settings, err
}

// Reload makes the server read its configuration again. Status 422: the configuration has a mistake, and
// the settings in force stay.
func (c *Client) Reload(ctx context.Context) (Reload, error) {
	var r Reload
	err := c.call(ctx, http.MethodPost, "/v1/config/reload", nil, &r)
	return r, err
}

// LogLevel returns the level of the server's log.
func (c *Client) LogLevel(ctx context.Context) (LogLevel, error) {
	var l LogLevel
	err := c.call(ctx, http.MethodGet, "/v1/log/level", nil, &l)
	return l, err
}

// SetLogLevel changes the level of the server's log. Status 400: a time that cannot be used.
func (c *Client) SetLogLevel(ctx context.Context, n NewLogLevel) (LogLevel, error) {
	var l LogLevel
	err := c.call(ctx, http.MethodPut, "/v1/log/level", n, &l)
	return l, err
}

// ResetLogLevel puts the configured level of the log into force again.
func (c *Client) ResetLogLevel(ctx context.Context) (LogLevel, error) {
	var l LogLevel
	err := c.call(ctx, http.MethodDelete, "/v1/log/level", nil, &l)
	return l, err
}
