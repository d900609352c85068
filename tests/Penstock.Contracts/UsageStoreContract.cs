using System.Globalization;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IUsageStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class UsageStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Rival = new("rival");
    private static readonly UsageQuery Everything = new();

    private IUsageStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<IUsageStore> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Append_keeps_every_field()
    {
        var row = Row(Acme, "full") with
        {
            Project = new ProjectId("search"),
            Tokens = new TokenCounts(1, 2, 3, 4, 5, 6),
            Cost = new Money(123_456_789_012_345_678),
            Estimated = true,
            Outcome = AttemptOutcome.CutShort,
            Error = "provider_failed",
            LatencyMs = int.MaxValue,
            FirstTokenMs = 0,
            Streamed = true,
            Conversation = "conversation-1",
            EndUser = "user-1",
        };
        await _store.AppendAsync(row, Ct);

        Assert.Equal(row, Assert.Single(await _store.ListAsync(Acme, Everything, 10, Ct)));
    }

    [Fact]
    public async Task Append_keeps_what_is_not_given_apart_from_empty()
    {
        var bare = Row(Acme, "bare");
        var empty = Row(Acme, "empty") with { Error = "", Conversation = "", EndUser = "", FirstTokenMs = 0, At = Now.AddSeconds(1) };
        await _store.AppendAsync(bare, Ct);
        await _store.AppendAsync(empty, Ct);

        Assert.Equal([empty, bare], await _store.ListAsync(Acme, Everything, 10, Ct));
    }

    [Theory]
    [InlineData(AttemptOutcome.Completed, 0)]
    [InlineData(AttemptOutcome.ClientGone, 0)]
    [InlineData(AttemptOutcome.ProviderFailed, 1)]
    [InlineData(AttemptOutcome.Unknown, 1)]
    [InlineData(AttemptOutcome.CutShort, 1)]
    [InlineData(AttemptOutcome.Drained, 1)]
    public async Task Every_outcome_comes_back_and_counts_as_failed_or_not(AttemptOutcome outcome, long failed)
    {
        await _store.AppendAsync(Row(Acme, "a") with { Outcome = outcome }, Ct);

        Assert.Equal(outcome, Assert.Single(await _store.ListAsync(Acme, Everything, 1, Ct)).Outcome);
        Assert.Equal(failed, (await _store.SumAsync(Acme, Everything, Ct)).Total.Failed);
    }

    [Fact]
    public async Task A_second_append_of_an_attempt_changes_nothing()
    {
        var row = Row(Acme, "once");
        await _store.AppendAsync(row, Ct);
        await _store.AppendAsync(row, Ct);
        await _store.AppendAsync(row with { Cost = new Money(999), Model = "another", At = Now.AddDays(1) }, Ct);

        Assert.Equal(row, Assert.Single(await _store.ListAsync(Acme, Everything, 10, Ct)));
        Assert.Equal(new UsageSum(1, 0, row.Tokens, row.Cost), (await _store.SumAsync(Acme, Everything, Ct)).Total);
    }

    [Fact]
    public async Task Tenants_with_the_same_ids_never_see_each_others_rows()
    {
        var mine = Row(Acme, "same") with { Cost = new Money(1) };
        var theirs = Row(Rival, "same") with { Cost = new Money(2) };
        await _store.AppendAsync(mine, Ct);
        await _store.AppendAsync(theirs, Ct);

        Assert.Equal([mine], await _store.ListAsync(Acme, Everything, 10, Ct));
        Assert.Equal([theirs], await _store.ListAsync(Rival, Everything, 10, Ct));
        foreach (var grouping in Enum.GetValues<UsageGrouping>())
        {
            var query = new UsageQuery { GroupBy = grouping, Key = mine.Key, Project = mine.Project, Model = mine.Model };
            Assert.Equal(mine.Cost, (await _store.SumAsync(Acme, query, Ct)).Total.Cost);
            Assert.Equal(theirs.Cost, (await _store.SumAsync(Rival, query, Ct)).Total.Cost);
            Assert.Equal(UsageSum.Nothing, (await _store.SumAsync(new TenantId("ACME"), query, Ct)).Total);
        }
    }

    [Fact]
    public async Task Sums_and_lists_of_nothing_are_empty()
    {
        foreach (var grouping in Enum.GetValues<UsageGrouping>())
        {
            var report = await _store.SumAsync(Acme, new UsageQuery { GroupBy = grouping }, Ct);
            Assert.Equal(UsageSum.Nothing, report.Total);
            Assert.Empty(report.Groups);
        }

        Assert.Empty(await _store.ListAsync(Acme, Everything, 10, Ct));
    }

    [Fact]
    public async Task Bounds_take_the_first_instant_and_leave_the_last()
    {
        for (var i = 0; i < 4; i++) await _store.AppendAsync(Row(Acme, $"{i}") with { At = Now.AddMilliseconds(i) }, Ct);
        var query = new UsageQuery { From = Now.AddMilliseconds(1), To = Now.AddMilliseconds(3) };

        Assert.Equal(2, (await _store.SumAsync(Acme, query, Ct)).Total.Attempts);
        Assert.Equal(["2", "1"], (await _store.ListAsync(Acme, query, 10, Ct)).Select(row => row.Attempt.Value));
        Assert.Equal(0, (await _store.SumAsync(Acme, query with { To = query.From }, Ct)).Total.Attempts);
        Assert.Equal(0, (await _store.SumAsync(Acme, new UsageQuery { From = query.To, To = query.From }, Ct)).Total.Attempts);
    }

    [Fact]
    public async Task Bounds_compare_instants_whatever_their_offset()
    {
        await _store.AppendAsync(Row(Acme, "a") with { At = Now.ToOffset(TimeSpan.FromHours(9)) }, Ct);
        var from = Now.ToOffset(TimeSpan.FromHours(-7));

        Assert.Equal(1, (await _store.SumAsync(Acme, new UsageQuery { From = from, To = from.AddMilliseconds(1) }, Ct)).Total.Attempts);
        Assert.Equal("2026-11-21", Assert.Single((await _store.SumAsync(Acme, new UsageQuery { GroupBy = UsageGrouping.Day }, Ct)).Groups).Name);
    }

    [Fact]
    public async Task List_is_newest_first_and_at_most_the_limit()
    {
        foreach (var i in new[] { 3, 1, 4, 0, 2 }) await _store.AppendAsync(Row(Acme, $"{i}") with { At = Now.AddSeconds(i) }, Ct);

        Assert.Equal(["4", "3", "2"], (await _store.ListAsync(Acme, Everything, 3, Ct)).Select(row => row.Attempt.Value));
        Assert.Equal(5, (await _store.ListAsync(Acme, Everything, int.MaxValue, Ct)).Count);
        Assert.Empty(await _store.ListAsync(Acme, Everything, 0, Ct));
    }

    [Fact]
    public async Task Appends_from_64_tasks_are_all_kept_and_summed()
    {
        const int tasks = 64, each = 25;
        await Task.WhenAll(Enumerable.Range(0, tasks).Select(task => Task.Run(
            async () =>
            {
                for (var i = 0; i < each; i++) await _store.AppendAsync(Row(Acme, $"{task}-{i}") with { Cost = new Money(task), Tokens = TokenCounts.Of(i, 1) }, Ct);
            },
            Ct)));

        var total = (await _store.SumAsync(Acme, Everything, Ct)).Total;
        Assert.Equal(new UsageSum(tasks * each, 0, TokenCounts.Of(tasks * each * (each - 1) / 2, tasks * each), new Money(each * tasks * (tasks - 1) / 2)), total);
        Assert.Equal(tasks * each, (await _store.ListAsync(Acme, Everything, int.MaxValue, Ct)).Select(row => row.Attempt).Distinct().Count());
    }

    [Fact]
    public async Task The_same_attempt_from_64_tasks_is_kept_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => _store.AppendAsync(Row(Acme, "contested") with { LatencyMs = i }, Ct)));

        Assert.Equal(1, (await _store.SumAsync(Acme, Everything, Ct)).Total.Attempts);
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public async Task Sums_and_lists_equal_a_count_by_hand_over_random_rows(ulong seed)
    {
        var source = new SeededSource(seed);
        var rows = Enumerable.Range(0, 300).Select(i => RandomRow(source, i)).ToList();
        await Task.WhenAll(rows.Select(row => _store.AppendAsync(row, Ct)));

        for (var i = 0; i < 120; i++)
        {
            var tenant = source.Pick(Acme, Rival);
            var query = RandomQuery(source);
            var expected = rows.Where(row => row.Tenant == tenant && Matches(row, query)).ToList();

            var report = await _store.SumAsync(tenant, query, Ct);
            Assert.Equal(SumOf(expected), report.Total);
            Assert.Equal(GroupsOf(expected, query.GroupBy), report.Groups.ToDictionary(group => group.Name, group => group.Sum));

            var listed = await _store.ListAsync(tenant, query, int.MaxValue, Ct);
            Assert.Equal(expected.Select(row => row.Attempt.Value).Order(StringComparer.Ordinal), listed.Select(row => row.Attempt.Value).Order(StringComparer.Ordinal));
            Assert.Equal(listed.Select(row => row.At).OrderDescending(), listed.Select(row => row.At));
        }
    }

    [Fact]
    public async Task Hostile_texts_come_back_and_filter_and_group_as_they_are()
    {
        var texts = HostileText.All;
        for (var i = 0; i < texts.Count; i++)
        {
            var text = texts[i];
            var row = Row(Acme, $"{i}") with { Model = text, RequestedModel = text, Route = text, Error = text, EndUser = text, Conversation = text, PriceVersion = text };
            await _store.AppendAsync(row, Ct);
            Assert.Equal(row, Assert.Single(await _store.ListAsync(Acme, new UsageQuery { Model = text, EndUser = text, Conversation = text }, 10, Ct)));
        }

        foreach (var grouping in new[] { UsageGrouping.Model, UsageGrouping.User, UsageGrouping.Conversation })
        {
            var groups = (await _store.SumAsync(Acme, new UsageQuery { GroupBy = grouping }, Ct)).Groups;
            Assert.Equal(texts.Order(StringComparer.Ordinal), groups.Select(group => group.Name).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task Text_that_is_not_valid_is_refused_and_nothing_is_stored()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AppendAsync(Row(Acme, "a") with { EndUser = HostileText.Invalid }, Ct));

        Assert.Empty(await _store.ListAsync(Acme, Everything, 10, Ct));
    }

    [Fact]
    public async Task An_append_cancelled_before_it_starts_is_not_kept()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _store.AppendAsync(Row(Acme, "a"), cancelled.Token));

        Assert.Empty(await _store.ListAsync(Acme, Everything, 10, Ct));
    }

    private static LedgerRow Row(TenantId tenant, string attempt) => new()
    {
        Tenant = tenant,
        Attempt = new AttemptId(attempt),
        Request = new RequestId("req_1"),
        Project = ProjectId.Default,
        Key = new KeyId("key-1"),
        At = Now,
        Operation = "chat",
        Route = "/v1/chat/completions",
        Provider = "openai",
        RequestedModel = "fast",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(10, 20),
        Cost = new Money(1_500),
        PriceVersion = "2026-11-01",
        Outcome = AttemptOutcome.Completed,
        LatencyMs = 250,
    };

    private static LedgerRow RandomRow(SeededSource source, int number) => Row(source.Pick(Acme, Rival), $"att-{number}") with
    {
        Project = new ProjectId(source.Pick("default", "search")),
        Key = new KeyId($"key-{source.Below(3)}"),
        At = new DateTimeOffset(2026, 11, 19, 23, 59, 59, 998, TimeSpan.Zero).AddMilliseconds(source.OneIn(2) ? source.Below(4) : source.Below(200_000_000)),
        Provider = source.Pick("openai", "anthropic", "local"),
        Model = source.Pick("gpt-4o-mini", "claude-haiku-4-5", "Claude-Haiku-4-5", "extract"),
        Tokens = new TokenCounts(source.Below(9_999), source.Below(99), source.Below(99), source.Below(99), source.Below(999), source.Below(99)),
        Cost = new Money((long)(source.NextBits() >> 12)),
        Outcome = source.Pick(Enum.GetValues<AttemptOutcome>()),
        Conversation = source.Pick(null, "", "c1", "c2"),
        EndUser = source.Pick(null, "anna", "otto"),
    };

    private static UsageQuery RandomQuery(SeededSource source)
    {
        var from = new DateTimeOffset(2026, 11, 19, 23, 59, 59, 998, TimeSpan.Zero);
        return new UsageQuery
        {
            From = source.OneIn(2) ? DateTimeOffset.UnixEpoch : from.AddMilliseconds(source.Below(5)),
            To = source.OneIn(2) ? DateTimeOffset.MaxValue : from.AddMilliseconds(source.OneIn(2) ? source.Below(5) : source.Below(200_000_000)),
            Key = source.OneIn(4) ? new KeyId($"key-{source.Below(4)}") : null,
            Project = source.OneIn(4) ? new ProjectId("search") : null,
            Model = source.OneIn(4) ? "claude-haiku-4-5" : null,
            Provider = source.OneIn(4) ? "anthropic" : null,
            EndUser = source.OneIn(4) ? "anna" : null,
            Conversation = source.OneIn(4) ? source.Pick("", "c1") : null,
            GroupBy = source.Pick(Enum.GetValues<UsageGrouping>()),
        };
    }

    private static bool Matches(LedgerRow row, UsageQuery query) =>
        row.At >= query.From && row.At < query.To
        && (query.Key is null || row.Key == query.Key)
        && (query.Project is null || row.Project == query.Project)
        && (query.Model is null || row.Model == query.Model)
        && (query.Provider is null || row.Provider == query.Provider)
        && (query.EndUser is null || row.EndUser == query.EndUser)
        && (query.Conversation is null || row.Conversation == query.Conversation);

    private static Dictionary<string, UsageSum> GroupsOf(List<LedgerRow> rows, UsageGrouping grouping) => grouping == UsageGrouping.None
        ? []
        : rows.GroupBy(row => grouping switch
        {
            UsageGrouping.Day => row.At.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            UsageGrouping.Model => row.Model,
            UsageGrouping.Provider => row.Provider,
            UsageGrouping.Key => row.Key.Value,
            UsageGrouping.Project => row.Project.Value,
            UsageGrouping.User => row.EndUser ?? "",
            _ => row.Conversation ?? "",
        }).ToDictionary(group => group.Key, group => SumOf([.. group]));

    private static UsageSum SumOf(List<LedgerRow> rows) => new(
        rows.Count,
        rows.Count(row => row.Outcome is AttemptOutcome.ProviderFailed or AttemptOutcome.CutShort or AttemptOutcome.Drained or AttemptOutcome.Unknown),
        new TokenCounts(
            rows.Sum(row => row.Tokens.Input),
            rows.Sum(row => row.Tokens.CacheRead),
            rows.Sum(row => row.Tokens.CacheWrite5m),
            rows.Sum(row => row.Tokens.CacheWrite1h),
            rows.Sum(row => row.Tokens.Output),
            rows.Sum(row => row.Tokens.Reasoning)),
        new Money(rows.Sum(row => row.Cost.NanoDollars)));
}
