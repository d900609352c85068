using System.Globalization;
using System.Text.RegularExpressions;

namespace Penstock.Infra;

/// <summary>The settings name things that cannot be deployed; the message lists all of them.</summary>
internal sealed class SettingsException(IReadOnlyList<string> errors) : Exception($"The deployment's settings are wrong:\n{string.Join('\n', errors.Select(error => $"  - {error}"))}")
{
    public IReadOnlyList<string> Errors { get; } = errors;
}

/// <summary>What a deployment is told, from the CDK's context: <c>cdk.json</c>, or <c>-c name=value</c>.</summary>
internal sealed partial record DeploySettings
{
    /// <summary><c>dev</c>, <c>staging</c> or <c>prod</c>. In prod nothing that holds data is deleted with its stack.</summary>
    public required string Environment { get; init; }

    /// <summary>USD a calendar month at which AWS itself raises the alarm over everything that carries this deployment's tags; whole.</summary>
    public required int MonthlyBudgetUsd { get; init; }

    /// <summary>Who is told, separated by commas; none where empty (the topic is there to subscribe to).</summary>
    public required IReadOnlyList<string> AlertEmails { get; init; }

    /// <summary>Value of the tag <c>CostCenter</c>; default <c>ai-platform</c>.</summary>
    public required string CostCenter { get; init; }

    /// <summary>Put before every table's name, as the server's <c>PENSTOCK_TABLE_PREFIX</c>; default none.</summary>
    public required string TablePrefix { get; init; }

    /// <summary>Tells this deployment apart from others in one account.</summary>
    public string Name => $"penstock-{Environment}";

    public bool KeepsData => Environment == "prod";

    private static readonly string[] Environments = ["dev", "staging", "prod"];

    /// <param name="context">A setting by its name, null where it is not given.</param>
    /// <exception cref="SettingsException">Names every setting that is wrong.</exception>
    public static DeploySettings Read(Func<string, string?> context)
    {
        var errors = new List<string>();
        var settings = new DeploySettings
        {
            Environment = Checked("environment", "dev", Environments.Contains, $"must be one of {string.Join(", ", Environments)}"),
            MonthlyBudgetUsd = Dollars(Checked("monthlyBudgetUsd", "100", text => Dollars(text) is > 0 and <= 10_000_000, "must be whole USD from 1 to 10000000")),
            AlertEmails = Emails(Checked("alertEmails", "", text => Emails(text) is { Length: <= 10 } emails && emails.All(email => Email().IsMatch(email)), "must be up to 10 e-mail addresses, separated by commas")),
            CostCenter = Checked("costCenter", "ai-platform", TagValue().IsMatch, "must be 1 to 128 letters, digits, blanks or _ . : / = + - @"),
            TablePrefix = Checked("tablePrefix", "", Prefix().IsMatch, "must be up to 60 letters, digits, '_', '.' or '-'"),
        };
        return errors.Count == 0 ? settings : throw new SettingsException(errors);

        string Checked(string name, string otherwise, Func<string, bool> valid, string rule)
        {
            var value = context(name) ?? otherwise;
            if (!valid(value)) errors.Add($"'{name}' is '{value}'; it {rule}. Set it with -c {name}=… or in cdk.json.");
            return value;
        }
    }

    private static int Dollars(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var usd) ? usd : 0;

    private static string[] Emails(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    [GeneratedRegex(@"\A[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+\z")]
    private static partial Regex Email();

    [GeneratedRegex(@"\A[A-Za-z0-9_.:/=+\-@ ]{1,128}\z")]
    private static partial Regex TagValue();

    [GeneratedRegex(@"\A[A-Za-z0-9_.\-]{0,60}\z")]
    private static partial Regex Prefix();
}
