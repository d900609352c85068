using Penstock.Kernel;
using Penstock.Prompts;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IPromptStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class PromptStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Rival = new("rival");

    private IPromptStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<IPromptStore> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_version_comes_back_as_it_was_added()
    {
        var version = Version("a", 'a', text: "Grüße 🦀 \"quoted\"\n{{x}}\n");

        Assert.True(await _store.AddAsync(version, Ct));

        Assert.Equal([version], await _store.FindAsync(Acme, "a", Hash('a'), Ct));
    }

    [Fact]
    public async Task The_largest_text_comes_back()
    {
        var version = Version("a", 'a', text: new string('x', PromptFile.LargestBytes));

        await _store.AddAsync(version, Ct);

        Assert.Equal([version], await _store.FindAsync(Acme, "a", Hash('a'), Ct));
    }

    [Fact]
    public async Task A_version_is_added_once_and_never_changed()
    {
        await _store.AddAsync(Version("a", 'a', text: "first"), Ct);

        Assert.False(await _store.AddAsync(Version("a", 'a', text: "second", at: Now.AddDays(1)), Ct));

        Assert.Equal("first", (await _store.FindAsync(Acme, "a", Hash('a'), Ct)).Single().Text);
        Assert.Equal(Now, (await _store.ListAsync(Acme, "a", Ct)).Single().At);
    }

    [Fact]
    public async Task A_beginning_finds_what_it_begins_and_no_more_than_two()
    {
        foreach (var hash in new[] { "aaaa", "aaab", "aaac", "b" }) await _store.AddAsync(Version("a", hash), Ct);
        await _store.AddAsync(Version("a-b", "b"), Ct);
        await _store.AddAsync(Version("a", "f"), Ct);

        Assert.Equal(2, (await _store.FindAsync(Acme, "a", "aaa", Ct)).Count);
        Assert.Equal(Hash("aaab"), (await _store.FindAsync(Acme, "a", "aaab", Ct)).Single().Entry.Hash);
        Assert.Equal(Hash("f"), (await _store.FindAsync(Acme, "a", Hash("f"), Ct)).Single().Entry.Hash);
        Assert.Empty(await _store.FindAsync(Acme, "a", "aaad", Ct));
        Assert.Empty(await _store.FindAsync(Acme, "c", "a", Ct));
    }

    [Fact]
    public async Task Lists_are_newest_first_and_of_one_template_where_it_is_named()
    {
        await _store.AddAsync(Version("a", 'a'), Ct);
        await _store.AddAsync(Version("b", 'b', at: Now.AddMilliseconds(1)), Ct);
        await _store.AddAsync(Version("a", 'c', at: Now.AddMilliseconds(2)), Ct);
        await _store.AddAsync(Version("a-b", 'd', at: Now.AddMilliseconds(3)), Ct);

        Assert.Equal([('d', "a-b"), ('c', "a"), ('b', "b"), ('a', "a")], (await _store.ListAsync(Acme, null, Ct)).Select(entry => (entry.Hash[0], entry.Name)));
        Assert.Equal(['c', 'a'], (await _store.ListAsync(Acme, "a", Ct)).Select(entry => entry.Hash[0]));
        Assert.Empty(await _store.ListAsync(Acme, "c", Ct));
    }

    [Fact]
    public async Task A_label_points_where_its_last_move_says()
    {
        await AddAsync('a', 'b');
        Assert.Null(await _store.LabelAsync(Acme, "a", "production", Ct));

        var (first, second) = (Move(1, null, 'a'), Move(2, 'a', 'b') with { At = Now.AddSeconds(1), By = "key", Reason = "Grüße 🦀" });
        Assert.Equal(PromptMoved.Moved, await _store.MoveAsync(first, Ct));
        Assert.Equal(first, await _store.LabelAsync(Acme, "a", "production", Ct));
        Assert.Equal(PromptMoved.Moved, await _store.MoveAsync(second, Ct));
        Assert.Equal(second, await _store.LabelAsync(Acme, "a", "production", Ct));
        Assert.Equal([second, first], await _store.HistoryAsync(Acme, "a", 10, Ct));
        Assert.Equal([second], await _store.HistoryAsync(Acme, "a", 1, Ct));
        Assert.Equal(first, await _store.MoveOfAsync(Acme, "a", "production", 1, Ct));
        Assert.Null(await _store.MoveOfAsync(Acme, "a", "production", 0, Ct));
        Assert.Null(await _store.MoveOfAsync(Acme, "a", "production", 3, Ct));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_move_from_another_place_than_the_label_is_at_changes_nothing(long number)
    {
        await AddAsync('a', 'b');
        var first = Move(1, null, 'a');
        await _store.MoveAsync(first, Ct);

        Assert.Equal(PromptMoved.Overtaken, await _store.MoveAsync(Move(number, 'a', 'b'), Ct));

        Assert.Equal(first, await _store.LabelAsync(Acme, "a", "production", Ct));
        Assert.Equal([first], await _store.HistoryAsync(Acme, "a", 10, Ct));
    }

    [Fact]
    public async Task A_label_that_was_never_set_is_set_by_move_one_only()
    {
        await AddAsync('a');

        Assert.Equal(PromptMoved.Overtaken, await _store.MoveAsync(Move(2, 'a', 'a'), Ct));

        Assert.Null(await _store.LabelAsync(Acme, "a", "production", Ct));
        Assert.Empty(await _store.HistoryAsync(Acme, "a", 10, Ct));
    }

    [Fact]
    public async Task A_label_never_points_at_a_version_that_is_not_there()
    {
        await AddAsync('a');
        await _store.AddAsync(Version("b", 'b'), Ct);
        await _store.AddAsync(Version("a", 'c') with { Entry = Version("a", 'c').Entry with { Tenant = Rival } }, Ct);

        Assert.Equal(PromptMoved.NoSuchVersion, await _store.MoveAsync(Move(1, null, 'b'), Ct));
        Assert.Equal(PromptMoved.NoSuchVersion, await _store.MoveAsync(Move(1, null, 'c'), Ct));

        Assert.Null(await _store.LabelAsync(Acme, "a", "production", Ct));
        Assert.Empty(await _store.HistoryAsync(Acme, "a", 10, Ct));
    }

    [Fact]
    public async Task Of_many_movers_at_once_one_wins_and_the_history_has_one_step()
    {
        var hashes = Enumerable.Range(0, 16).Select(i => i.ToString("x", System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        foreach (var hash in hashes) await _store.AddAsync(Version("a", hash), Ct);

        var outcomes = await Task.WhenAll(hashes.Select(hash => Task.Run(() => _store.MoveAsync(Move(1, null, hash), Ct))));

        Assert.Equal(1, outcomes.Count(outcome => outcome == PromptMoved.Moved));
        Assert.Equal(15, outcomes.Count(outcome => outcome == PromptMoved.Overtaken));
        var label = await _store.LabelAsync(Acme, "a", "production", Ct);
        Assert.Equal(Hash(hashes[Array.IndexOf(outcomes, PromptMoved.Moved)]), label!.To);
        Assert.Equal([label], await _store.HistoryAsync(Acme, "a", 100, Ct));
    }

    [Fact]
    public async Task Labels_stand_apart_from_each_other_and_are_listed_by_name()
    {
        await AddAsync('a', 'b');
        await _store.AddAsync(Version("a-b", 'a'), Ct);
        var production = Move(1, null, 'a');
        var staging = production with { Label = "staging", To = Hash('b'), At = Now.AddSeconds(1) };
        var other = production with { Name = "a-b" };
        foreach (var move in new[] { production, staging, other }) Assert.Equal(PromptMoved.Moved, await _store.MoveAsync(move, Ct));
        var again = Move(2, 'a', 'b') with { At = Now.AddSeconds(2) };
        Assert.Equal(PromptMoved.Moved, await _store.MoveAsync(again, Ct));

        Assert.Equal([again, staging, other], await _store.LabelsAsync(Acme, null, Ct));
        Assert.Equal([again, staging], await _store.LabelsAsync(Acme, "a", Ct));
        Assert.Equal([again, staging, production], await _store.HistoryAsync(Acme, "a", 10, Ct));
    }

    [Fact]
    public async Task Nothing_crosses_a_tenant()
    {
        await AddAsync('a');
        await _store.MoveAsync(Move(1, null, 'a'), Ct);

        Assert.Empty(await _store.FindAsync(Rival, "a", Hash('a'), Ct));
        Assert.Empty(await _store.ListAsync(Rival, null, Ct));
        Assert.Empty(await _store.LabelsAsync(Rival, null, Ct));
        Assert.Null(await _store.LabelAsync(Rival, "a", "production", Ct));
        Assert.Null(await _store.MoveOfAsync(Rival, "a", "production", 1, Ct));
        Assert.Empty(await _store.HistoryAsync(Rival, "a", 10, Ct));
        Assert.True(await _store.AddAsync(Version("a", 'a', text: "rival's") with { Entry = Version("a", 'a').Entry with { Tenant = Rival } }, Ct));
        Assert.Equal(PromptMoved.Moved, await _store.MoveAsync(Move(1, null, 'a') with { Tenant = Rival, By = "rival" }, Ct));
        Assert.Equal("by", (await _store.LabelAsync(Acme, "a", "production", Ct))!.By);
    }

    private async Task AddAsync(params char[] hashes)
    {
        foreach (var hash in hashes) Assert.True(await _store.AddAsync(Version("a", hash), Ct));
    }

    private static string Hash(char begin) => Hash(begin.ToString());

    private static string Hash(string begin) => begin.PadRight(64, '0');

    private static PromptVersion Version(string name, char hash, string text = "text", DateTimeOffset? at = null) => Version(name, hash.ToString(), text, at);

    private static PromptVersion Version(string name, string hash, string text = "text", DateTimeOffset? at = null) =>
        new(new PromptEntry(Acme, name, Hash(hash), at ?? Now, "by"), text);

    private static PromptMove Move(long number, char? from, char to) => Move(number, from is { } hash ? Hash(hash) : null, to.ToString());

    private static PromptMove Move(long number, string? from, string to) => new()
    {
        Tenant = Acme,
        Name = "a",
        Label = "production",
        Number = number,
        From = from,
        To = Hash(to),
        Before = number - 1,
        By = "by",
        At = Now,
        Reason = "reason",
    };
}
