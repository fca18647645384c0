package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The kinds of alarms.
const (
	AlarmUnfetched = "unfetched" // old mail, and nobody logs in
	AlarmGrowing   = "growing"   // many more messages than usual in a day
)

// Alarm is a maildrop that an administrator should look at.
type Alarm struct {
	Kind      string     `json:"kind" enum:"unfetched,growing" doc:"unfetched: the maildrop has old mail, and nobody logs in. growing: many more messages than usual arrived in a day, and stay."`
	Address   string     `json:"address" doc:"The account." example:"alice@example.org"`
	Since     time.Time  `json:"since" doc:"unfetched: the last login, or the arrival of the oldest message if no later login is noted. growing: the beginning of the day."`
	Oldest    time.Time  `json:"oldest" doc:"Arrival of the oldest message."`
	LastLogin *time.Time `json:"lastLogin,omitempty" doc:"The last login noted; absent: none."`
	Messages  int        `json:"messages,omitempty" doc:"growing: messages of the day that are still in the maildrop, 100000 at most."`
	Usual     float64    `json:"usual,omitempty" doc:"growing: messages of an average day of the week before."`
}

// AlarmList holds the alarms of all servers, by kind and address.
type AlarmList struct {
	Alarms []Alarm `json:"alarms" nullable:"false"`
	More   int     `json:"more" doc:"Alarms left out because of limit, or because a server keeps 10000 of each kind."`
	// Judged is the end of the oldest run among the servers; nil: a server has not ended its first run.
	Judged *time.Time `json:"judged,omitempty" doc:"All maildrops were judged at this time or later; absent: a server has not ended its first run of the job alarms."`
	Parts
}

// AlarmFilter selects alarms. Empty fields select all.
type AlarmFilter struct {
	Kind       string
	Server     string // its name or its host name
	Datacenter string
	Local      bool // only the server that answers
}

// Alarms returns the maildrops that need attention. limit bounds the answer; 0: 1000.
func (c *Client) Alarms(ctx context.Context, f AlarmFilter, limit int) (AlarmList, error) {
	q := url.Values{}
	for name, value := range map[string]string{"kind": f.Kind, "server": f.Server, "datacenter": f.Datacenter} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Local {
		q.Set("local", "true")
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var list AlarmList
	err := c.call(ctx, http.MethodGet, withQuery("/v1/alarms", q), nil, &list)
	return list, err
}
