using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Cli;

/// <summary><c>penstock report</c>: what the last seven whole days cost, beside the seven before them.</summary>
internal static class ReportCommand
{
    private const int Days = 7;

    private static readonly UsageGrouping[] Groupings = [UsageGrouping.Project, UsageGrouping.Model, UsageGrouping.Key];

    public static Command Create()
    {
        var tenant = new Option<string>("--tenant") { Description = "Whose calls.", DefaultValueFactory = _ => TenantId.Default.Value };
        var sla = new Option<string>("--sla") { Description = "Instead: how many calls of the last seven days were over within a time, such as 5s or 800ms." };
        var window = new Option<string>("--window") { Description = "With --sla: a line for each 'day' or 'hour'.", DefaultValueFactory = _ => "day" };
        var target = new Option<double?>("--target") { Description = "With --sla: percent of the calls that are to be; the exit code is 1 where fewer are." };
        window.AcceptOnlyFromAmong("day", "hour");
        sla.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } text && ReadTime(text) is null) result.AddError($"--sla must be a time such as 5s or 800ms, not '{text}'.");
        });
        var command = new Command("report", "What the last seven whole days (UTC) cost in USD by project, model and key, and how that changed against the seven before.") { tenant, sla, window, target };
        command.SetAction((parsed, ct) => Local.WithStoreAsync(services =>
        {
            var whose = new TenantId(parsed.GetValue(tenant)!);
            return ReadTime(parsed.GetValue(sla)) is { } within
                ? SlaReport.RunAsync(services, whose, within, parsed.GetValue(window) == "hour" ? TimeSpan.FromHours(1) : TimeSpan.FromDays(1), parsed.GetValue(target), ct)
                : RunAsync(services, whose, ct);
        }));
        return command;
    }

    private static async Task<int> RunAsync(IServiceProvider services, TenantId tenant, CancellationToken ct)
    {
        var store = services.GetRequiredService<IUsageStore>();
        var today = new DateTimeOffset(services.GetRequiredService<TimeProvider>().GetUtcNow().UtcDateTime.Date, TimeSpan.Zero);
        var (from, before) = (today.AddDays(-Days), today.AddDays(-2 * Days));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{from:yyyy-MM-dd} to {today.AddDays(-1):yyyy-MM-dd}, tenant '{tenant}', against the {Days} days before"));
        foreach (var grouping in Groupings)
        {
            var now = await store.SumAsync(tenant, new UsageQuery { From = from, To = today, GroupBy = grouping }, ct);
            var then = await store.SumAsync(tenant, new UsageQuery { From = before, To = from, GroupBy = grouping }, ct);
            if (grouping == Groupings[0]) Print("total", "", now.Total, then.Total);
            foreach (var name in now.Groups.Concat(then.Groups).Select(group => group.Name).Distinct().OrderByDescending(name => Of(now, name).Cost))
                Print(grouping.ToString().ToLowerInvariant(), name, Of(now, name), Of(then, name));
        }

        return 0;
    }

    /// <summary>Null where it is none.</summary>
    private static TimeSpan? ReadTime(string? text)
    {
        var (number, unit) = text switch
        {
            null => ("", 0),
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 1),
            _ when text.EndsWith('s') => (text[..^1], 1000),
            _ => ("", 0),
        };
        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value is > 0 and < 1e6 ? TimeSpan.FromMilliseconds(value * unit) : null;
    }

    private static UsageSum Of(UsageReport report, string name) => report.Groups.FirstOrDefault(group => group.Name == name)?.Sum ?? UsageSum.Nothing;

    private static void Print(string kind, string name, UsageSum now, UsageSum then)
    {
        var change = then.Cost == Money.Zero ? now.Cost == Money.Zero ? "0 %" : "new" : (now.Cost.PercentOf(then.Cost) - 100).ToString("+0.0;-0.0;0", CultureInfo.InvariantCulture) + " %";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind,-8} {name,-40} {now.Cost.Usd,14:0.000000} {change,10} {now.Attempts,10} calls"));
    }
}
