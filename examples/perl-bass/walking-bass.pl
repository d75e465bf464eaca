#!/usr/bin/env perl
# A generator for kelly-live in Perl: a walking bass of chord tones, one note a beat.
#
#   kelly-live generators add walking-bass.pl
#   kelly-live compose --emotion happy --with walking --midi walking.mid
#
# One JSON object a line: requests on stdin, each answered on stdout with its "id" (docs/generator-protocol.md).
use strict;
use warnings;
use JSON::PP;

$| = 1;    # an answer leaves at once
my $json = JSON::PP->new->utf8->canonical;
my $octave = 3;

my %answer = (
    hello     => sub { return { type => "hello", protocol => 1, language => "Perl $^V" } },
    describe  => sub {
        my $parameter = { name => "octave", default => 3, low => 2, high => 4, help => "how high it walks" };
        return {
            type => "descriptor", name => "walking", part => "walking", channel => 5, program => 32,
            help => "a walking bass in Perl", parameters => [$parameter],
        };
    },
    configure => sub { take_values($_[0]); return { type => "done" } },
    reset     => sub { return { type => "done" } },              # it remembers nothing
    inspect   => sub { my ($own, $system) = times; return { type => "surroundings", processor_seconds => $own + $system } },
    generate  => sub { take_values($_[0]); return { type => "notes", notes => walk($_[0]) } },
);

# The values may change while it plays: each request has them.
sub take_values { my ($request) = @_; $octave = $request->{values}{octave} // $octave }

sub walk {
    my ($request) = @_;
    my ($music, $dynamics) = ($request->{music}, $request->{parameters}{dynamics});
    my $loud = $dynamics->{floor} + 0.6 * ($dynamics->{ceiling} - $dynamics->{floor});
    my @notes;
    for (my $beat = ceil($request->{start_beat}); $beat < $request->{end_beat}; $beat++) {
        my ($chord) = grep { $_->{start_beat} <= $beat && $beat < $_->{end_beat} } @{ $music->{chords} };
        next unless $chord;
        next if $music->{closing} && $beat % $music->{beats_per_bar};    # the last bar of all has one note
        my @tones = @{ $chord->{pitch_classes} };
        my $tone  = $tones[ ($beat - $chord->{start_beat}) % @tones ];    # from the root upwards
        push @notes, {
            onset_beats => $beat, duration_beats => 0.9, pitch => 12 * $octave + $tone,
            velocity => 1 + int(126 * $loud),
        };
    }
    return \@notes;
}

sub ceil { my ($number) = @_; my $whole = int($number); return $whole < $number ? $whole + 1 : $whole }

while (my $line = <STDIN>) {
    my $request = $json->decode($line);
    my $known   = $answer{ $request->{type} };
    my $reply   = $known ? eval { $known->($request) } : undef;
    $reply //= { type => "error", reason => $@ ? "$@" : "the request $request->{type} is not known" };
    print $json->encode({ %$reply, id => $request->{id} }), "\n";
}
