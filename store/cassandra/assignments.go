package cassandra

import (
	"slices"

	"popelago/mail"
	"popelago/store"
)

// assignments are the assignments of an UPDATE, and the values to bind.
type assignments struct {
	texts  []string
	values []any
	// columns are the columns whose timestamps bound the timestamp of the UPDATE from below.
	columns []string
}

// set assigns a value to a column.
func (a *assignments) set(column string, value any) {
	a.columns = append(a.columns, column)
	a.add(column+" = ?", value)
}

func (a *assignments) add(text string, value any) {
	a.texts, a.values = append(a.texts, text), append(a.values, value)
}

// touch sets the column touched, the companion of the collections.
func (a *assignments) touch() { a.set("touched", true) }

// changeSettings assigns and removes elements of the column settings.
func (a *assignments) changeSettings(settings map[string]string) {
	if len(settings) == 0 {
		return
	}
	if written := encodeSettings(settings); len(written) > 0 {
		a.add("settings = settings + ?", written)
	}
	var removed []string
	for name, value := range settings {
		if value == "" {
			removed = append(removed, encodeText(name))
		}
	}
	if len(removed) > 0 {
		a.add("settings = settings - ?", removed)
	}
}

// changeTargets adds and removes elements of the column targets.
func (a *assignments) changeTargets(add, remove []mail.Address) {
	if len(add) > 0 {
		a.add("targets = targets + ?", encodeTargets(add))
	}
	if len(remove) > 0 {
		a.add("targets = targets - ?", encodeTargets(remove))
	}
}

// encodeSettings returns the settings that have a value, in the form of the column settings.
func encodeSettings(settings map[string]string) map[string]string {
	encoded := make(map[string]string, len(settings))
	for name, value := range settings {
		if value != "" {
			encoded[encodeText(name)] = encodeText(value)
		}
	}
	return encoded
}

// decodeSettings undoes encodeSettings; nil without settings.
func decodeSettings(encoded map[string]string) (map[string]string, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	settings := make(map[string]string, len(encoded))
	for name, value := range encoded {
		name, err := decodeText(name)
		if err != nil {
			return nil, err
		}
		if settings[name], err = decodeText(value); err != nil {
			return nil, err
		}
	}
	return settings, nil
}

// decodeOrigin reads the column origin; the zero value without one.
func decodeOrigin(encoded string) (store.Origin, error) {
	text, err := decodeText(encoded)
	if err != nil || text == "" {
		return store.Origin{}, err
	}
	return store.ParseOrigin(text)
}

// encodeTargets returns addresses in the form of the column targets.
func encodeTargets(targets []mail.Address) []string {
	encoded := make([]string, len(targets))
	for i, target := range targets {
		encoded[i] = encodeText(target.String())
	}
	return encoded
}

// decodeTargets undoes encodeTargets, in the order of the texts of the addresses.
func decodeTargets(encoded []string) ([]mail.Address, error) {
	var targets []mail.Address
	for _, s := range encoded {
		text, err := decodeText(s)
		if err != nil {
			return nil, err
		}
		target, ok := mail.SplitAddress(text)
		if !ok {
			return nil, corruptColumn(s)
		}
		targets = append(targets, target)
	}
	slices.SortFunc(targets, store.CompareTargets)
	return targets, nil
}
