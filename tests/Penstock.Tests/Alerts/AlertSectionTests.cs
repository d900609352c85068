using Penstock.Alerts;
using Penstock.Tests.Configuration;
using Xunit;

namespace Penstock.Tests.Alerts;

public sealed class AlertSectionTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly AlertSection _section = new();

    [Fact]
    public void What_is_written_is_taken()
    {
        Assert.Empty(_section.Read($$"""
            {"alerts": {
              "webhooks": {"ops": {"url": "https://ops.test/hook", "secret": "{{Secret}}"}, "here": {"url": "http://localhost:8080/x", "secret": "{{Secret}}"} },
              "smtp": {"host": "smtp.test", "port": 465, "security": "tls", "user": "u", "password": "p", "from": "penstock@example.test"}
            } }
            """));

        Assert.Equal([("ops", "https://ops.test/hook", 24), ("here", "http://localhost:8080/x", 24)], _section.Current.Webhooks.Select(target => (target.Name, target.Url.ToString(), target.Secret.Length)));
        Assert.Equal(new MailServer("smtp.test", "penstock@example.test") { Port = 465, Security = MailSecurity.Tls, Login = new MailLogin("u", "p") }, _section.Current.Smtp);
    }

    [Fact]
    public void Left_out_it_has_its_defaults_and_taken_out_it_is_gone()
    {
        Assert.Empty(_section.Read("""{"alerts": {"smtp": {"host": "smtp.test", "from": "a@b.test"}}}"""));
        Assert.Equal((587, MailSecurity.StartTls, null), (_section.Current.Smtp!.Port, _section.Current.Smtp.Security, _section.Current.Smtp.Login));

        Assert.Empty(_section.Read("{}"));
        Assert.Equal((0, null), (_section.Current.Webhooks.Count, _section.Current.Smtp));
    }

    [Theory]
    [InlineData("""{"webhook": {}}""", "alerts.webhook")]
    [InlineData("""{"webhooks": []}""", "alerts.webhooks")]
    [InlineData("""{"webhooks": {"a b": {"url": "https://a.test", "secret": "SECRET"}}}""", "alerts.webhooks.a b")]
    [InlineData("""{"webhooks": {"a": {"url": "https://a.test"}}}""", "alerts.webhooks.a.secret")]
    [InlineData("""{"webhooks": {"a": {"secret": "SECRET"}}}""", "alerts.webhooks.a.url")]
    [InlineData("""{"webhooks": {"a": {"url": "http://topsecret.test", "secret": "SECRET"}}}""", "alerts.webhooks.a.url")]
    [InlineData("""{"webhooks": {"a": {"url": "https://u:topsecret@a.test", "secret": "SECRET"}}}""", "alerts.webhooks.a.url")]
    [InlineData("""{"webhooks": {"a": {"url": "file:///topsecret", "secret": "SECRET"}}}""", "alerts.webhooks.a.url")]
    [InlineData("""{"webhooks": {"a": {"url": "https://a.test", "secret": "topsecret"}}}""", "alerts.webhooks.a.secret")]
    [InlineData("""{"webhooks": {"a": {"url": "https://a.test", "secret": "whsec_topsecret!"}}}""", "alerts.webhooks.a.secret")]
    [InlineData("""{"webhooks": {"a": {"url": "https://a.test", "secret": "whsec_dG9wc2VjcmV0"}}}""", "alerts.webhooks.a.secret")]
    [InlineData("""{"webhooks": {"a": {"url": "https://a.test", "secret": "env:PENSTOCK_NOWHERE"}}}""", "PENSTOCK_NOWHERE")]
    [InlineData("""{"smtp": {"from": "a@b.test"}}""", "alerts.smtp.host")]
    [InlineData("""{"smtp": {"host": "h"}}""", "alerts.smtp.from")]
    [InlineData("""{"smtp": {"host": "h", "from": "a@b.test\r\nBcc: c@d.test"}}""", "alerts.smtp.from")]
    [InlineData("""{"smtp": {"host": "h", "from": "a@b.test", "port": 0}}""", "alerts.smtp.port")]
    [InlineData("""{"smtp": {"host": "h", "from": "a@b.test", "security": "ssl"}}""", "alerts.smtp.security")]
    [InlineData("""{"smtp": {"host": "h", "from": "a@b.test", "user": "u"}}""", "alerts.smtp")]
    [InlineData("""{"smtp": {"host": "h", "from": "a@b.test", "user": "u", "password": "topsecret", "security": "none"}}""", "alerts.smtp")]
    public void A_mistake_is_named_and_no_secret_is_repeated(string alerts, string named)
    {
        var error = Assert.Single(_section.Read($$"""{"alerts": {{alerts.Replace("SECRET", Secret, StringComparison.Ordinal)}}}"""));

        Assert.Contains(named, error, StringComparison.Ordinal);
        Assert.DoesNotContain("topsecret", error, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_password_may_go_out_plain_to_this_machine() =>
        Assert.Empty(_section.Read("""{"alerts": {"smtp": {"host": "127.0.0.1", "from": "a@b.test", "user": "u", "password": "p", "security": "none"}}}"""));

    [Fact]
    public void What_is_printed_holds_no_secret()
    {
        var server = new MailServer("smtp.test", "a@b.test") { Login = new MailLogin("u", "topsecret") };

        Assert.DoesNotContain("topsecret", $"{server} {server.Login} {new AlertOptions { Smtp = server }}", StringComparison.Ordinal);
    }

    [Fact]
    public void A_description_says_who_is_told()
    {
        using var http = new AlertHttp();
        string Describe(params (string, string?)[] environment) => new AlertChannels(_section, Sections.Environment(environment), http, TimeProvider.System).Describe();

        Assert.Equal("only in the log", Describe());
        Assert.Equal("only in the log; ALERT_EMAIL gets none without alerts.smtp", Describe(("ALERT_EMAIL", "a@b.test")));
        Assert.Empty(_section.Read($$"""{"alerts": {"webhooks": {"ops": {"url": "https://ops.test", "secret": "{{Secret}}"} }, "smtp": {"host": "h", "from": "a@b.test"} } }"""));
        Assert.Equal("webhook:ops, slack, email", Describe(("ALERT_EMAIL", "a@b.test"), ("SLACK_WEBHOOK_URL", "https://hooks.slack.test/topsecret")));
        Assert.Equal("off (BUDGET_ALERTS_ENABLED=false)", Describe(("BUDGET_ALERTS_ENABLED", "false")));
    }
}
