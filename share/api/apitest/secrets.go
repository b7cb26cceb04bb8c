package apitest

import (
	"context"

	"shoal/share/api"
)

// Password is the one that [Fake.Unlock] takes.
const Password = "correct horse"

// Unlock implements [api.Secrets].
func (f *Fake) Unlock(_ context.Context, password string) error {
	if password != Password {
		return api.Errorf(api.Denied, "the password is wrong")
	}
	return nil
}
