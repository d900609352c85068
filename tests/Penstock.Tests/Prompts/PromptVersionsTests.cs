using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Prompts;
using Penstock.Tests.Keys;
using Xunit;

namespace Penstock.Tests.Prompts;

public sealed class PromptVersionsTests : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly PromptMover Ann = new("ann", "because");

    private readonly EmbeddedStore _store = new();
    private readonly ManualTime _time = new();
    private readonly ShippedPrompts _shipped = new();
    private PromptLibrary _library = null!;
    private PromptVersions _versions = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        (_library, _versions) = Server();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_fresh_store_answers_with_the_build_s_own_templates()
    {
        Assert.Equal(_shipped.Find("summarise"), await FindAsync("summarise"));
        Assert.Equal(_shipped.Find("summarise"), await FindAsync($"summarise@{_shipped.Find("summarise")!.Id.Hash[..8]}"));
    }

    [Fact]
    public async Task A_moved_label_is_seen_by_another_server_within_five_seconds_and_by_its_own_at_once()
    {
        var (other, _) = Server();
        var before = await other.FindAsync(Acme, PromptReference.Of("summarise"), Ct);
        _time.Advance(TimeSpan.FromSeconds(1));
        var made = await PushAsync("Say less.");

        await MoveAsync(made);

        Assert.Equal(made.Id, (await FindAsync("summarise")).Id);
        Assert.Equal(before.Id, (await other.FindAsync(Acme, PromptReference.Of("summarise"), Ct)).Id);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(made.Id, (await other.FindAsync(Acme, PromptReference.Of("summarise"), Ct)).Id);
        Assert.Equal(_shipped.Find("summarise")!.Id, (await _library.FindAsync(new TenantId("rival"), PromptReference.Of("summarise"), Ct)).Id);
    }

    [Fact]
    public async Task A_roll_back_goes_one_step_back_each_time_and_ends_at_the_first()
    {
        var built = _shipped.Find("summarise")!;
        var (one, two) = (await PushAsync("One."), await PushAsync("Two."));
        await MoveAsync(one);
        await MoveAsync(two);

        Assert.Equal(one.Id.Hash, (await BackAsync()).To);
        Assert.Equal(one.Id, (await FindAsync("summarise")).Id);
        Assert.Equal(built.Id.Hash, (await BackAsync()).To);
        var refusal = (await Assert.ThrowsAsync<RefusedException>(BackAsync)).Refusal;
        Assert.Equal((404, "nothing_to_roll_back"), (refusal.Status, refusal.Code));
        Assert.Equal(built.Id, (await FindAsync("summarise")).Id);

        // What is deployed after a roll back is rolled back to where it came from.
        await MoveAsync(two);
        Assert.Equal(built.Id.Hash, (await BackAsync()).To);
    }

    [Fact]
    public async Task The_history_says_who_moved_what_from_where_to_where_and_why()
    {
        var (one, two) = (await PushAsync("One."), await PushAsync("Two."));
        await MoveAsync(one);
        _time.Advance(TimeSpan.FromSeconds(1));
        await MoveAsync(two);
        _time.Advance(TimeSpan.FromSeconds(1));
        await _versions.RollBackAsync(Acme, "summarise", "production", new PromptMover("ben", "it lied"), Ct);

        var history = await _versions.HistoryAsync(Acme, "summarise", 2, Ct);

        Assert.Equal([(4L, two.Id.Hash, one.Id.Hash, "ben", "it lied"), (3L, one.Id.Hash, two.Id.Hash, "ann", "because")], history.Select(move => (move.Number, move.From!, move.To, move.By, move.Reason)));
        Assert.Equal(history[0].At, history[1].At.AddSeconds(1));
    }

    [Fact]
    public async Task Two_movers_who_saw_the_same_label_do_not_both_win()
    {
        var templates = new List<PromptTemplate>();
        for (var i = 0; i < 8; i++) templates.Add(await PushAsync($"Number {i}."));
        await MoveAsync(templates[0]);
        var seen = templates[0].Id.Hash;

        var won = await Task.WhenAll(templates.Skip(1).Select(template => Task.Run(async () =>
        {
            try
            {
                await Server().Versions.MoveAsync(Acme, Here(template), "production", Ann, seen, Ct);
                return true;
            }
            catch (RefusedException e) when (e.Refusal is { Status: 409, Code: "label_moved" })
            {
                return false;
            }
        })));

        Assert.Equal(1, won.Count(one => one));
        Assert.Equal(3, (await _versions.HistoryAsync(Acme, "summarise", 100, Ct)).Count);
    }

    [Fact]
    public async Task A_move_that_expects_another_place_is_refused_and_one_to_the_same_place_is_none()
    {
        var (one, two) = (await PushAsync("One."), await PushAsync("Two."));
        await MoveAsync(one);

        var refusal = (await Assert.ThrowsAsync<RefusedException>(() => _versions.MoveAsync(Acme, Here(two), "production", Ann, two.Id.Hash, Ct))).Refusal;

        Assert.Equal((409, "label_moved"), (refusal.Status, refusal.Code));
        Assert.Null(await _versions.MoveAsync(Acme, Here(one), "production", Ann, null, Ct));
        Assert.Equal(2, (await _versions.HistoryAsync(Acme, "summarise", 100, Ct)).Count);
    }

    [Fact]
    public async Task What_is_not_there_is_refused_with_what_is()
    {
        var made = await PushAsync("One.");
        await _versions.MoveAsync(Acme, Here(made), "staging", Ann, null, Ct);

        Assert.Equal("There is no template 'sumarise'. There are chat, classify, extract, suggest, summarise.", await RefusedAsync("sumarise"));
        Assert.Equal($"Template 'summarise' has no label 'canary'. It has the labels staging, production and the versions {made.Id.Hash[..8]}, {_shipped.Find("summarise")!.Id.Hash[..8]}.", await RefusedAsync("summarise:canary"));
        Assert.StartsWith("Template 'summarise' has no version '00000000'.", await RefusedAsync("summarise@00000000"), StringComparison.Ordinal);
        Assert.Equal(made.Id, (await FindAsync("summarise:staging")).Id);
    }

    [Fact]
    public async Task A_stored_text_that_is_not_what_its_hash_names_is_never_used()
    {
        var store = _store.Prompts;
        await store.AddAsync(new PromptVersion(new PromptEntry(Acme, "summarise", new string('a', 64), _time.GetUtcNow(), "x"), Sources.Template(Sources.Summarise("One.")).Text), Ct);

        await Assert.ThrowsAsync<InvalidDataException>(async () => await FindAsync("summarise@aaaaaaaa"));
    }

    private (PromptLibrary Library, PromptVersions Versions) Server()
    {
        var library = new PromptLibrary(_store.Prompts, _shipped, _time);
        return (library, new PromptVersions(_store.Prompts, library, _shipped, _time));
    }

    private async Task<PromptTemplate> PushAsync(string system)
    {
        var template = Sources.Template(Sources.Summarise(system));
        Assert.True(await _versions.AddAsync(Acme, template, "ann", Ct));
        return template;
    }

    private async Task MoveAsync(PromptTemplate to) => Assert.NotNull(await _versions.MoveAsync(Acme, Here(to), "production", Ann, null, Ct));

    private Task<PromptMove> BackAsync() => _versions.RollBackAsync(Acme, "summarise", "production", Ann, Ct);

    private ValueTask<PromptTemplate> FindAsync(string text) => _library.FindAsync(Acme, PromptReference.Parse(text, "template"), Ct);

    private async Task<string> RefusedAsync(string text)
    {
        var refusal = (await Assert.ThrowsAsync<RefusedException>(async () => await FindAsync(text))).Refusal;
        Assert.Equal((404, "template_not_found", "template"), (refusal.Status, refusal.Code, refusal.Field));
        return refusal.Message;
    }

    private static PromptReference Here(PromptTemplate template) => new(template.Name, null, template.Id.Hash);
}
