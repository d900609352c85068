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
        var command = new Command("report", "What the last seven whole days (UTC) cost in USD by project, model and key, and how that changed against the seven before.") { tenant };
        command.SetAction((parsed, ct) => Local.WithStoreAsync(services => RunAsync(services, new TenantId(parsed.GetValue(tenant)!), ct)));
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

    private static UsageSum Of(UsageReport report, string name) => report.Groups.FirstOrDefault(group => group.Name == name)?.Sum ?? UsageSum.Nothing;

    private static void Print(string kind, string name, UsageSum now, UsageSum then)
    {
        var change = then.Cost == Money.Zero ? now.Cost == Money.Zero ? "0 %" : "new" : (now.Cost.PercentOf(then.Cost) - 100).ToString("+0.0;-0.0;0", CultureInfo.InvariantCulture) + " %";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind,-8} {name,-40} {now.Cost.Usd,14:0.000000} {change,10} {now.Attempts,10} calls"));
    }
}
