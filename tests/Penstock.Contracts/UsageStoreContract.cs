using System.Globalization;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IUsageStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class UsageStoreContract : LedgerContract
{
    private static readonly UsageQuery Everything = new();

    [Fact]
    public async Task A_settled_attempt_keeps_every_field()
    {
        var row = Row(Acme, "full") with
        {
            Project = new ProjectId("search"),
            Tokens = new TokenCounts(1, 2, 3, 4, 5, 6),
            Cost = new Money(123_456_789_012_345_678),
            Avoided = new Money(98_765),
            OwnKey = true,
            Estimated = true,
            Outcome = AttemptOutcome.CutShort,
            Error = "provider_failed",
            LatencyMs = int.MaxValue,
            FirstTokenMs = 0,
            Streamed = true,
            Conversation = "conversation-1",
            EndUser = "user-1",
            Template = "summarise@3f2a9c01",
            Decision = "fallback from openai/gpt-4.1: provider_rate_limited",
            Run = "run_a/run_b",
        };
        await Budgets.SettleAsync(row, Ct);

        Assert.Equal(row, Assert.Single(await Usage.ListAsync(Acme, Everything, 10, Ct)));
    }

    [Fact]
    public async Task A_settled_attempt_keeps_what_is_not_given_apart_from_empty()
    {
        var bare = Row(Acme, "bare");
        var empty = Row(Acme, "empty") with { Error = "", Conversation = "", EndUser = "", Template = "", Decision = "", Run = "", FirstTokenMs = 0, At = Now.AddSeconds(1) };
        await Budgets.SettleAsync(bare, Ct);
        await Budgets.SettleAsync(empty, Ct);

        Assert.Equal([empty, bare], await Usage.ListAsync(Acme, Everything, 10, Ct));
    }

    [Theory]
    [InlineData(AttemptOutcome.Completed, 0)]
    [InlineData(AttemptOutcome.ClientGone, 0)]
    [InlineData(AttemptOutcome.ProviderFailed, 1)]
    [InlineData(AttemptOutcome.Unknown, 1)]
    [InlineData(AttemptOutcome.CutShort, 1)]
    [InlineData(AttemptOutcome.Drained, 1)]
    [InlineData(AttemptOutcome.Cached, 0)]
    public async Task Every_outcome_comes_back_and_counts_as_failed_or_not(AttemptOutcome outcome, long failed)
    {
        await Budgets.SettleAsync(Row(Acme, "a") with { Outcome = outcome }, Ct);

        Assert.Equal(outcome, Assert.Single(await Usage.ListAsync(Acme, Everything, 1, Ct)).Outcome);
        Assert.Equal(failed, (await Usage.SumAsync(Acme, Everything, Ct)).Total.Failed);
    }

    [Fact]
    public async Task A_second_settle_of_an_attempt_changes_nothing()
    {
        var row = Row(Acme, "once");
        await Budgets.SettleAsync(row, Ct);
        await Budgets.SettleAsync(row, Ct);
        await Budgets.SettleAsync(row with { Cost = new Money(999), Model = "another", At = Now.AddDays(1) }, Ct);

        Assert.Equal(row, Assert.Single(await Usage.ListAsync(Acme, Everything, 10, Ct)));
        Assert.Equal(new UsageSum(1, 0, row.Tokens, row.Cost), (await Usage.SumAsync(Acme, Everything, Ct)).Total);
    }

    [Fact]
    public async Task Tenants_with_the_same_ids_never_see_each_others_rows()
    {
        var mine = Row(Acme, "same") with { Cost = new Money(1) };
        var theirs = Row(Rival, "same") with { Cost = new Money(2) };
        await Budgets.SettleAsync(mine, Ct);
        await Budgets.SettleAsync(theirs, Ct);

        Assert.Equal([mine], await Usage.ListAsync(Acme, Everything, 10, Ct));
        Assert.Equal([theirs], await Usage.ListAsync(Rival, Everything, 10, Ct));
        foreach (var grouping in Enum.GetValues<UsageGrouping>())
        {
            var query = new UsageQuery { GroupBy = grouping, Key = mine.Key, Project = mine.Project, Model = mine.Model };
            Assert.Equal(mine.Cost, (await Usage.SumAsync(Acme, query, Ct)).Total.Cost);
            Assert.Equal(theirs.Cost, (await Usage.SumAsync(Rival, query, Ct)).Total.Cost);
            Assert.Equal(UsageSum.Nothing, (await Usage.SumAsync(new TenantId("ACME"), query, Ct)).Total);
        }
    }

    [Fact]
    public async Task Sums_and_lists_of_nothing_are_empty()
    {
        foreach (var grouping in Enum.GetValues<UsageGrouping>())
        {
            var report = await Usage.SumAsync(Acme, new UsageQuery { GroupBy = grouping }, Ct);
            Assert.Equal(UsageSum.Nothing, report.Total);
            Assert.Empty(report.Groups);
        }

        Assert.Empty(await Usage.ListAsync(Acme, Everything, 10, Ct));
    }

    [Fact]
    public async Task Bounds_take_the_first_instant_and_leave_the_last()
    {
        for (var i = 0; i < 4; i++) await Budgets.SettleAsync(Row(Acme, $"{i}") with { At = Now.AddMilliseconds(i) }, Ct);
        var query = new UsageQuery { From = Now.AddMilliseconds(1), To = Now.AddMilliseconds(3) };

        Assert.Equal(2, (await Usage.SumAsync(Acme, query, Ct)).Total.Attempts);
        Assert.Equal(["2", "1"], (await Usage.ListAsync(Acme, query, 10, Ct)).Select(row => row.Attempt.Value));
        Assert.Equal(0, (await Usage.SumAsync(Acme, query with { To = query.From }, Ct)).Total.Attempts);
        Assert.Equal(0, (await Usage.SumAsync(Acme, new UsageQuery { From = query.To, To = query.From }, Ct)).Total.Attempts);
    }

    [Fact]
    public async Task Bounds_compare_instants_whatever_their_offset()
    {
        await Budgets.SettleAsync(Row(Acme, "a") with { At = Now.ToOffset(TimeSpan.FromHours(9)) }, Ct);
        var from = Now.ToOffset(TimeSpan.FromHours(-7));

        Assert.Equal(1, (await Usage.SumAsync(Acme, new UsageQuery { From = from, To = from.AddMilliseconds(1) }, Ct)).Total.Attempts);
        Assert.Equal("2026-11-21", Assert.Single((await Usage.SumAsync(Acme, new UsageQuery { GroupBy = UsageGrouping.Day }, Ct)).Groups).Name);
    }

    [Fact]
    public async Task List_is_newest_first_and_at_most_the_limit()
    {
        foreach (var i in new[] { 3, 1, 4, 0, 2 }) await Budgets.SettleAsync(Row(Acme, $"{i}") with { At = Now.AddSeconds(i) }, Ct);

        Assert.Equal(["4", "3", "2"], (await Usage.ListAsync(Acme, Everything, 3, Ct)).Select(row => row.Attempt.Value));
        Assert.Equal(5, (await Usage.ListAsync(Acme, Everything, int.MaxValue, Ct)).Count);
        Assert.Empty(await Usage.ListAsync(Acme, Everything, 0, Ct));
    }

    [Fact]
    public async Task Settles_from_64_tasks_are_all_kept_and_summed()
    {
        const int tasks = 64, each = 25;
        await Task.WhenAll(Enumerable.Range(0, tasks).Select(task => Task.Run(
            async () =>
            {
                for (var i = 0; i < each; i++) await Budgets.SettleAsync(Row(Acme, $"{task}-{i}") with { Cost = new Money(task), Tokens = TokenCounts.Of(i, 1) }, Ct);
            },
            Ct)));

        var total = (await Usage.SumAsync(Acme, Everything, Ct)).Total;
        Assert.Equal(new UsageSum(tasks * each, 0, TokenCounts.Of(tasks * each * (each - 1) / 2, tasks * each), new Money(each * tasks * (tasks - 1) / 2)), total);
        Assert.Equal(tasks * each, (await Usage.ListAsync(Acme, Everything, int.MaxValue, Ct)).Select(row => row.Attempt).Distinct().Count());
    }

    [Fact]
    public async Task The_same_attempt_from_64_tasks_is_kept_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Budgets.SettleAsync(Row(Acme, "contested") with { LatencyMs = i }, Ct)));

        Assert.Equal(1, (await Usage.SumAsync(Acme, Everything, Ct)).Total.Attempts);
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public async Task Sums_and_lists_equal_a_count_by_hand_over_random_rows(ulong seed)
    {
        var source = new SeededSource(seed);
        var rows = Enumerable.Range(0, 300).Select(i => RandomRow(source, i)).ToList();
        await Task.WhenAll(rows.Select(row => Budgets.SettleAsync(row, Ct)));

        for (var i = 0; i < 120; i++)
        {
            var tenant = source.Pick(Acme, Rival);
            var query = RandomQuery(source);
            var expected = rows.Where(row => row.Tenant == tenant && Matches(row, query)).ToList();

            var report = await Usage.SumAsync(tenant, query, Ct);
            Assert.Equal(SumOf(expected), report.Total);
            Assert.Equal(GroupsOf(expected, query.GroupBy), report.Groups.ToDictionary(group => group.Name, group => group.Sum));
            Assert.Equal(report.Groups.Select(group => group.Name).Order(StringComparer.Ordinal), report.Groups.Select(group => group.Name));
            var settled = expected.Where(row => row.Outcome != AttemptOutcome.Cached).ToList();
            Assert.Equal(Histogram(settled.Select(row => (long)row.LatencyMs)), report.Spread.Latency.Buckets);
            Assert.Equal(Histogram(settled.Where(row => row.FirstTokenMs is not null).Select(row => (long)row.FirstTokenMs!)), report.Spread.FirstToken.Buckets);
            Assert.Equal(Histogram(settled.Select(row => row.Cost.NanoDollars)), report.Spread.Cost.Buckets);

            var listed = await Usage.ListAsync(tenant, query, int.MaxValue, Ct);
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
            await Budgets.SettleAsync(row, Ct);
            Assert.Equal(row, Assert.Single(await Usage.ListAsync(Acme, new UsageQuery { Model = text, EndUser = text, Conversation = text }, 10, Ct)));
        }

        foreach (var grouping in new[] { UsageGrouping.Model, UsageGrouping.User, UsageGrouping.Conversation })
        {
            var groups = (await Usage.SumAsync(Acme, new UsageQuery { GroupBy = grouping }, Ct)).Groups;
            Assert.Equal(texts.Order(StringComparer.Ordinal), groups.Select(group => group.Name).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task Text_that_is_not_valid_is_refused_and_nothing_is_stored()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Budgets.SettleAsync(Row(Acme, "a") with { EndUser = HostileText.Invalid }, Ct));

        Assert.Empty(await Usage.ListAsync(Acme, Everything, 10, Ct));
    }

    [Fact]
    public async Task A_settle_cancelled_before_it_starts_is_not_kept()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Budgets.SettleAsync(Row(Acme, "a"), cancelled.Token));

        Assert.Empty(await Usage.ListAsync(Acme, Everything, 10, Ct));
    }

    [Fact]
    public async Task Retention_leaves_every_sum_over_whole_quarters_as_it_was()
    {
        var source = new SeededSource(5);
        var rows = Enumerable.Range(0, 200).Select(i => RandomRow(source, i) with { Tenant = Acme }).ToList();
        await Task.WhenAll(rows.Select(row => Budgets.SettleAsync(row, Ct)));
        var day = new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero);
        UsageQuery[] queries =
        [
            .. new[] { UsageGrouping.None, UsageGrouping.Day, UsageGrouping.Model, UsageGrouping.Provider, UsageGrouping.Key, UsageGrouping.Project, UsageGrouping.User }.Select(grouping => new UsageQuery { GroupBy = grouping }),
            new UsageQuery { From = day.AddMinutes(-45), To = day.AddDays(9).AddMinutes(15), Key = new KeyId("key-1") },
        ];
        var before = await SumsAsync(queries);
        var conversations = await ConversationsAsync(DateTimeOffset.UnixEpoch, day.AddYears(1));

        var dropped = 0;
        while (await Usage.DropAsync(day.AddDays(2), Ct) is var count and > 0) dropped += count;

        Assert.Equal(rows.Count(row => row.At < day.AddDays(2)), dropped);
        Assert.Equal(rows.Count(row => row.At >= day.AddDays(2)), (await Usage.ListAsync(Acme, Everything, int.MaxValue, Ct)).Count);
        Assert.Equal(before, await SumsAsync(queries));
        Assert.Equal(conversations, await ConversationsAsync(DateTimeOffset.UnixEpoch, day.AddYears(1)));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    private async Task<string> SumsAsync(IEnumerable<UsageQuery> queries)
    {
        var lines = new List<string>();
        foreach (var query in queries)
        {
            var report = await Usage.SumAsync(Acme, query, Ct);
            lines.Add($"{report.Total} {string.Join(' ', report.Groups)}");
            lines.AddRange(new[] { report.Spread.Latency, report.Spread.FirstToken, report.Spread.Cost }.Select(spread => string.Join(' ', spread.Buckets)));
        }

        return string.Join('\n', lines);
    }

    private static LedgerRow Row(TenantId tenant, string attempt) => Row(attempt, 1_500) with { Tenant = tenant };

    private static LedgerRow RandomRow(SeededSource source, int number) => Row(source.Pick(Acme, Rival), $"att-{number}") with
    {
        Request = new RequestId($"req-{source.Below(4)}"),
        Project = new ProjectId(source.Pick("default", "search")),
        Key = new KeyId($"key-{source.Below(3)}"),
        At = RandomTime(source),
        Provider = source.Pick("openai", "anthropic", "local"),
        Model = source.Pick("gpt-4o-mini", "claude-haiku-4-5", "Claude-Haiku-4-5", "extract"),
        Tokens = new TokenCounts(source.Below(9_999), source.Below(99), source.Below(99), source.Below(99), source.Below(999), source.Below(99)),
        Cost = new Money((long)(source.NextBits() >> 12)),
        Outcome = source.Pick(Enum.GetValues<AttemptOutcome>()),
        Conversation = source.Pick(null, "", "c1", "c2"),
        EndUser = source.Pick(null, "anna", "otto"),
        Avoided = new Money(source.OneIn(3) ? source.Below(9_999) : 0),
        OwnKey = source.OneIn(4),
        LatencyMs = source.Below(90_000),
        FirstTokenMs = source.OneIn(3) ? null : source.Below(9_000),
    };

    /// <summary>Over a turn of the year: on the edges of a day, a month and a year, on those of a quarter of an hour, or anywhere in seven weeks.</summary>
    private static DateTimeOffset RandomTime(SeededSource source)
    {
        var newYear = new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero);
        return source.Below(4) switch
        {
            0 => newYear.AddMilliseconds(source.Below(5) - 2),
            1 => newYear.AddMinutes(15 * (source.Below(4_000) - 2_000)).AddMilliseconds(source.Below(3) - 1),
            2 => newYear.AddDays(source.Below(70) - 40).AddMilliseconds(source.Below(3) - 1),
            _ => newYear.AddSeconds(source.Below(7 * 7 * 86_400) - (3 * 7 * 86_400)),
        };
    }

    private static UsageQuery RandomQuery(SeededSource source)
    {
        return new UsageQuery
        {
            From = source.OneIn(3) ? DateTimeOffset.UnixEpoch : RandomTime(source),
            To = source.OneIn(3) ? DateTimeOffset.MaxValue : RandomTime(source),
            Key = source.OneIn(4) ? new KeyId($"key-{source.Below(4)}") : null,
            Project = source.OneIn(4) ? new ProjectId("search") : null,
            Model = source.OneIn(4) ? "claude-haiku-4-5" : null,
            Provider = source.OneIn(4) ? "anthropic" : null,
            EndUser = source.OneIn(4) ? source.Pick("anna", "nobody") : null,
            Conversation = source.OneIn(6) ? source.Pick("", "c1") : null,
            Request = source.OneIn(6) ? new RequestId($"req-{source.Below(5)}") : null,
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
        && (query.Conversation is null || row.Conversation == query.Conversation)
        && (query.Request is null || row.Request == query.Request);

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
        new Money(rows.Sum(row => row.Cost.NanoDollars)))
    {
        CacheHits = rows.Count(row => row.Outcome == AttemptOutcome.Cached),
        Saved = new Money(rows.Where(row => !row.OwnKey).Sum(row => row.Avoided.NanoDollars)),
        OwnKeyAttempts = rows.Count(row => row.OwnKey),
        OwnKeyCost = new Money(rows.Where(row => row.OwnKey).Sum(row => row.Avoided.NanoDollars)),
    };
}
